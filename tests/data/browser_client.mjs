// Plays a browser for the client module, whose address is the argument; prints what the module did.

const told = { sent: [], urls: [], events: [], facts: {} };
const sockets = [];
const track = { enabled: true, stop: () => (told.facts.isStopped = true) };
const stream = { getAudioTracks: () => [track], getTracks: () => [track] };
let peer;

class PlayedSocket {
  static OPEN = 1;
  readyState = 1;
  constructor(url) {
    told.urls.push(url);
    sockets.push(this);
    setTimeout(() => this.onopen?.());
  }
  send(text) {
    told.sent.push(JSON.parse(text));
  }
  close() {
    this.readyState = 3;
  }
  receive(message) {
    return this.onmessage({ data: JSON.stringify(message) });
  }
}

class PlayedPeer {
  constructor() {
    peer = this;
  }
  addTrack() {}
  async createOffer() {
    return { type: "offer", sdp: "offered" };
  }
  async setLocalDescription(description) {
    this.localDescription = description;
    this.onicecandidate({ candidate: { candidate: "candidate:early" } });
  }
  async setRemoteDescription(description) {
    told.facts.answer = description;
  }
  close() {
    told.facts.isPeerClosed = true;
  }
}

class PlayedAudio {
  async play() {
    told.facts.isPlaying = this.srcObject === stream;
  }
}

Object.defineProperty(globalThis, "navigator", { value: { mediaDevices: { getUserMedia: async () => stream } } });
Object.assign(globalThis, { WebSocket: PlayedSocket, RTCPeerConnection: PlayedPeer, Audio: PlayedAudio });

const until = async (isTrue) => {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
};

const { join, RingdownCall } = await import(process.argv[2]);

const call = new RingdownCall("wss://calls.example/join/token");
for (const name of ["status", "transcript", "error", "ended"])
  call.addEventListener(name, ({ detail }) => told.events.push([name, detail]));
const started = call.start();
await until(() => sockets.length === 1);
await sockets[0].receive({ type: "joined", callId: "call_1", agentName: "Front desk", resumeKey: "key" });
await started;
peer.onicecandidate({ candidate: { candidate: "candidate:late" } });
await sockets[0].receive({ type: "answer", sdp: "answered" });
peer.ontrack({ streams: [stream], track });
await sockets[0].receive({ type: "status", status: "speaking" });
await sockets[0].receive({ type: "transcript", speaker: "agent", text: "Hello.", isFinal: true });
await sockets[0].receive({ type: "error", message: "careful" });
sockets[0].onclose({ code: 1006, reason: "" });
await until(() => sockets.length === 2);
await sockets[1].receive({ type: "status", status: "listening" });
call.isMuted = true;
told.facts.isMuted = call.isMuted;
told.facts.isTrackEnabled = track.enabled;
call.sendDigits("1#");
call.hangUp();
Object.assign(told.facts, { callId: call.callId, agentName: call.agentName });
const urls = told.urls.slice();

const refused = join("wss://calls.example/join/other", { stream });
await until(() => sockets.length === 3);
sockets[2].onclose({ code: 4404, reason: "the link is unknown" });
await refused.catch((error) => (told.facts.refused = error.message));

console.log(JSON.stringify({ ...told, urls }));
