"""The interactive reference: a page and a script from here, and nothing from elsewhere."""

import gzip
import re

import httpx

from tests.slices.conftest import on_sqlite

pytestmark = on_sqlite  # no page asks the database


async def test_the_reference_is_served_whole_without_a_key(anonymous: httpx.AsyncClient) -> None:
    page = await anonymous.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    linked = re.findall(r'(?:src|href|spec-url)="([^"]+)"', page.text)
    assert all(link.startswith(("/", "data:")) and not link.startswith("//") for link in linked)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for link in linked:
        if link.startswith("/"):
            assert (await anonymous.get(link)).status_code == 200, link


async def test_the_script_goes_out_compressed_where_that_is_understood(anonymous: httpx.AsyncClient) -> None:
    plain = await anonymous.get("/docs/rapidoc-min.js", headers={"Accept-Encoding": "identity"})
    packed = await anonymous.get("/docs/rapidoc-min.js")
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert len(gzip.compress(plain.content)) < len(plain.content) / 2
    assert b"rapi-doc" in plain.content


async def test_other_names_are_not_there(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get("/docs/../app.py")).status_code == 404
    assert (await anonymous.get("/docs/reference.html")).status_code == 404


async def test_a_request_goes_where_the_page_came_from_and_is_filled_in_with_no_filter(
    anonymous: httpx.AsyncClient,
) -> None:
    page = (await anonymous.get("/docs")).text
    # RapiDoc takes the document's server, which the page's policy forbids, unless these two are equal.
    assert re.findall(r' (?:server-url|default-api-server)="([^"]+)"', page) == ["/", "/"]
    paths = (await anonymous.get("/api/public/v1/openapi.json")).json()["paths"]
    parameters = paths["/api/public/v1/calls"]["get"]["parameters"]
    [metadata] = [parameter for parameter in parameters if parameter["name"] == "metadata"]
    assert metadata["x-fill-example"] == "no"  # else it makes a pair up, and no call has that
