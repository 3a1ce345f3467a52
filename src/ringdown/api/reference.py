"""The interactive reference of the API: one page at `/docs` and its only script, both served from here."""

import gzip
from importlib import resources

from fastapi import Request, Response

from ringdown.web import route

_FILES = resources.files("ringdown.api") / "static"
_SCRIPT_SECONDS = 86_400
# The reference talks to this API alone, with the key that its reader types in; its script makes styles.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

router = route.new_public_router(prefix="/docs", tag="Operation")


@router.get("", summary="The interactive reference", include_in_schema=False)
async def get_reference() -> Response:
    """The page."""
    page = (_FILES / "reference.html").read_bytes()
    headers = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
    return Response(page, media_type="text/html; charset=utf-8", headers=headers)


@router.get("/rapidoc-min.js", summary="Its script", include_in_schema=False)
async def get_script(request: Request) -> Response:
    """RapiDoc (MIT), as its package has it: compressed."""
    script = (_FILES / "rapidoc-min.js.gz").read_bytes()
    headers = {"Cache-Control": f"max-age={_SCRIPT_SECONDS}", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
    else:
        script = gzip.decompress(script)
    return Response(script, media_type="text/javascript; charset=utf-8", headers=headers)
