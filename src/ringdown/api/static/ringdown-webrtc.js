// Lets a page talk with an agent: joins a browser call by the `joinUrl` of `POST /api/public/v1/webrtc/call`.
// An ES module without dependencies; the protocol is described in docs/browser-calls.md.

const ENDED = 1000, BROKEN = 4400, UNKNOWN_LINK = 4404;
const FINAL = [ENDED, BROKEN, UNKNOWN_LINK];
const RETRY_MS = 500, GIVE_UP_MS = 10_000;

/**
 * Join a call. Resolves once the microphone is open and the call has been joined.
 *
 * Options: `stream` (a MediaStream to send instead of the microphone's), `audio` (the element that plays the agent,
 * or null for none), `iceServers` (as for RTCPeerConnection; by default none).
 */
export async function join(joinUrl, options = {}) {
  const call = new RingdownCall(joinUrl, options);
  await call.start();
  return call;
}

/**
 * One call. Events, each with its facts in `detail`:
 * `status` {status: "connecting" | "listening" | "thinking" | "speaking" | "ended"},
 * `transcript` {speaker: "agent" | "user", text, isFinal}, `error` {message}, and at last `ended` {code, reason}.
 */
export class RingdownCall extends EventTarget {
  #joinUrl; #options; #socket; #peer; #stream; #resumeKey; #leave; #joined; #isOver = false; #candidates = [];

  callId = null;
  agentName = null;
  status = "connecting";

  constructor(joinUrl, options = {}) {
    super();
    this.#joinUrl = joinUrl;
    this.#options = options;
  }

  async start() {
    const constraints = { audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } };
    // First: the link is good for a while only once, and people may take their time to allow the microphone.
    this.#stream = this.#options.stream ?? (await navigator.mediaDevices.getUserMedia(constraints));
    this.#leave = () => this.hangUp();
    globalThis.addEventListener?.("pagehide", this.#leave);
    await new Promise((resolve, reject) => {
      this.#joined = { resolve, reject };
      this.#connect(this.#joinUrl, 0);
    });
  }

  /** Whether the agent hears nothing. */
  get isMuted() {
    return !this.#stream.getAudioTracks().some((track) => track.enabled);
  }

  set isMuted(isMuted) {
    for (const track of this.#stream.getAudioTracks()) track.enabled = !isMuted;
  }

  /** Press keys: 0-9, *, #. */
  sendDigits(digits) {
    this.#send({ type: "digits", digits });
  }

  /** End the call. */
  hangUp() {
    if (this.#isOver) return;
    this.#send({ type: "hangup" });
    this.#end(ENDED, "user_hangup");
  }

  #connect(url, until) {
    const socket = (this.#socket = new WebSocket(url));
    let deadline = until;
    socket.onopen = () => (deadline = Infinity);
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data)).catch((error) => this.#fail(error));
    socket.onclose = ({ code, reason }) => {
      if (socket !== this.#socket || this.#isOver) return;
      if (!this.#resumeKey || FINAL.includes(code)) this.#end(code, reason);
      else this.#return(deadline === Infinity ? Date.now() + GIVE_UP_MS : deadline);
    };
  }

  /** The connection broke, but not the call. */
  #return(until) {
    if (Date.now() > until) {
      this.#end(1006, "the connection was lost");
      return;
    }
    const url = new URL(this.#joinUrl);
    url.searchParams.set("resume", this.#resumeKey);
    setTimeout(() => this.#isOver || this.#connect(url.href, until), RETRY_MS);
  }

  #fail(error) {
    this.#emit("error", { message: String(error?.message ?? error) });
    this.hangUp();
  }

  async #take(message) {
    switch (message.type) {
      case "joined":
        this.callId = message.callId;
        this.agentName = message.agentName;
        this.#resumeKey = message.resumeKey;
        await this.#offer();
        this.#joined.resolve();
        break;
      case "answer":
        await this.#peer.setRemoteDescription({ type: "answer", sdp: message.sdp });
        break;
      case "status":
        this.status = message.status;
        this.#emit("status", { status: message.status });
        break;
      case "transcript":
        this.#emit("transcript", { speaker: message.speaker, text: message.text, isFinal: message.isFinal });
        break;
      case "error":
        this.#emit("error", { message: message.message });
        break;
    }
  }

  async #offer() {
    const peer = (this.#peer = new RTCPeerConnection({ iceServers: this.#options.iceServers ?? [] }));
    let isOffered = false;
    peer.onicecandidate = ({ candidate }) => {
      const text = candidate?.candidate ?? "";
      if (isOffered) this.#send({ type: "candidate", candidate: text });
      else this.#candidates.push(text);
    };
    peer.ontrack = ({ streams, track }) => this.#play(streams[0] ?? new MediaStream([track]));
    peer.onconnectionstatechange = () => peer.connectionState === "failed" && this.hangUp();
    for (const track of this.#stream.getAudioTracks()) peer.addTrack(track, this.#stream);
    await peer.setLocalDescription(await peer.createOffer());
    this.#send({ type: "offer", sdp: peer.localDescription.sdp });
    isOffered = true;
    for (const candidate of this.#candidates) this.#send({ type: "candidate", candidate });
  }

  #play(stream) {
    if (this.#options.audio === null) return;
    const audio = this.#options.audio ?? (this.#options.audio = new Audio());
    audio.srcObject = stream;
    audio.play()?.catch((error) => this.#emit("error", { message: String(error?.message ?? error) }));
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #end(code, reason) {
    if (this.#isOver) return;
    this.#isOver = true;
    globalThis.removeEventListener?.("pagehide", this.#leave);
    this.#peer?.close();
    if (!this.#options.stream) for (const track of this.#stream.getTracks()) track.stop();
    this.#socket.close(ENDED);
    if (this.status !== "ended") {
      this.status = "ended";
      this.#emit("status", { status: "ended" });
    }
    this.#emit("ended", { code, reason });
    this.#joined.reject(new Error(reason || `the connection was closed (${code})`)); // nothing, once it was joined
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
