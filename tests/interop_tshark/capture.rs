//! A capture file with one TCP connection in it.

use etherparse::PacketBuilder;

/// Where the server listens.
pub(crate) const PORT: u16 = 5000;

const CLIENT: ([u8; 4], u16) = ([127, 0, 0, 1], 40_000);
const SERVER: ([u8; 4], u16) = ([127, 0, 0, 2], PORT);

/// One end's next sequence number, and what it has acknowledged.
struct End {
    address: ([u8; 4], u16),
    sequence: u32,
}

/// A capture that grows, of raw IP packets.
pub(crate) struct Capture {
    file: Vec<u8>,
    frames: u32,
    client: End,
    server: End,
}

impl Capture {
    /// A connection that has just been made.
    pub(crate) fn new() -> Self {
        // Magic number, version, time zone, accuracy, largest packet, link type.
        let file = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 101].map(u32::to_le_bytes).concat();
        let (client, server) = (End { address: CLIENT, sequence: 1000 }, End { address: SERVER, sequence: 9000 });
        let mut capture = Self { file, frames: 0, client, server };
        capture.frame(true, true, false, b"");
        capture.frame(false, true, true, b"");
        capture.frame(true, false, true, b"");
        capture
    }

    /// A segment that one end sends and the other acknowledges.
    pub(crate) fn segment(&mut self, from_client: bool, payload: &[u8]) {
        self.frame(from_client, false, true, payload);
        self.frame(!from_client, false, true, b"");
    }

    fn frame(&mut self, from_client: bool, syn: bool, ack: bool, payload: &[u8]) {
        let (from, to) = if from_client { (&mut self.client, &self.server) } else { (&mut self.server, &self.client) };
        let ip = PacketBuilder::ipv4(from.address.0, to.address.0, 64);
        let mut tcp = ip.tcp(from.address.1, to.address.1, from.sequence, 65_000);
        if syn {
            tcp = tcp.syn();
        }
        if ack {
            tcp = tcp.ack(to.sequence);
        }
        if !payload.is_empty() {
            tcp = tcp.psh();
        }
        let length = u32::try_from(payload.len()).expect("a segment is short");
        from.sequence += length + u32::from(syn);
        let mut packet = Vec::new();
        tcp.write(&mut packet, payload).expect("a vector takes it");
        let size = u32::try_from(packet.len()).expect("a packet is short");
        self.frames += 1;
        // A packet a millisecond.
        let header = [1_700_000_000 + self.frames / 1000, self.frames % 1000 * 1000, size, size];
        self.file.extend_from_slice(&header.map(u32::to_le_bytes).concat());
        self.file.extend_from_slice(&packet);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.file
    }
}
