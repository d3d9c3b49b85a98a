//! `.pcap` and `.pcapng`: packets to TCP segments.

use super::Input;
use super::tcp::{Connections, Segment};
use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};
use std::fs::File;
use std::net::SocketAddr;

/// What the reader begins with, and the largest block that it takes.
const BUFFER: usize = 1 << 20;
const LARGEST_BLOCK: usize = 1 << 28;

/// The conversations of a capture, with `ports` only those to one of these server ports.
pub(super) fn read(file: File, ports: &[u16]) -> Result<Input, String> {
    let mut reader = create_reader(BUFFER, file).map_err(|error| format!("is not a capture: {error}"))?;
    let mut packets = Packets::default();
    let mut notes = Vec::new();
    let mut capacity = BUFFER;
    loop {
        let before = (reader.data().len(), reader.reader_exhausted());
        match reader.next() {
            Ok((size, block)) => {
                packets.block(&block);
                reader.consume(size);
                continue;
            }
            Err(PcapError::Eof) => break,
            Err(PcapError::UnexpectedEof) => {
                notes.push("the capture ends inside a packet".to_owned());
                break;
            }
            Err(PcapError::Incomplete(_)) => reader.refill().map_err(|error| error.to_string())?,
            Err(PcapError::BufferTooSmall) => {}
            Err(_) => return Err("is damaged: a block of the capture cannot be read".to_owned()),
        }
        if before == (reader.data().len(), reader.reader_exhausted()) {
            capacity *= 2;
            if capacity > LARGEST_BLOCK || !reader.grow(capacity) {
                return Err("is damaged: a block of the capture is too large".to_owned());
            }
            reader.refill().map_err(|error| error.to_string())?;
        }
    }
    let Packets { connections, fragments, unknown_links, .. } = packets;
    if fragments > 0 {
        notes.push(format!("{fragments} IP fragments are left out"));
    }
    if unknown_links > 0 {
        notes.push(format!("{unknown_links} packets of a link type that is not known here are left out"));
    }
    Ok(Input { conversations: connections.into_conversations(ports), notes })
}

#[derive(Default)]
struct Packets {
    /// Link types of the interfaces of the section.
    links: Vec<Linktype>,
    connections: Connections,
    fragments: usize,
    unknown_links: usize,
}

impl Packets {
    fn block(&mut self, block: &PcapBlockOwned<'_>) {
        match block {
            PcapBlockOwned::LegacyHeader(header) => self.links = vec![header.network],
            PcapBlockOwned::Legacy(packet) => self.packet(0, packet.data),
            PcapBlockOwned::NG(Block::SectionHeader(_)) => self.links.clear(),
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => self.links.push(interface.linktype),
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                self.packet(usize::try_from(packet.if_id).unwrap_or(usize::MAX), packet.packet_data());
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => self.packet(0, packet.packet_data()),
            PcapBlockOwned::NG(_) => {}
        }
    }

    fn packet(&mut self, interface: usize, data: &[u8]) {
        let link = self.links.get(interface).copied();
        let Some(packet) = link.and_then(|link| slice(link, data)) else {
            self.unknown_links += 1;
            return;
        };
        if packet.ip_payload().is_some_and(|payload| payload.fragmented) {
            self.fragments += 1;
        }
        let Some(TransportSlice::Tcp(tcp)) = &packet.transport else { return };
        let (source, destination) = match &packet.net {
            Some(LaxNetSlice::Ipv4(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
            Some(LaxNetSlice::Ipv6(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
            _ => return,
        };
        self.connections.add(&Segment {
            from: SocketAddr::new(source, tcp.source_port()),
            to: SocketAddr::new(destination, tcp.destination_port()),
            sequence: tcp.sequence_number(),
            syn: tcp.syn(),
            ack: tcp.ack(),
            fin: tcp.fin(),
            rst: tcp.rst(),
            payload: tcp.payload(),
        });
    }
}

/// The layers of a packet, `None` if its link type is not known here. A packet of which only the beginning
/// was captured is taken as far as it goes: what is missing shows as a hole in its stream.
fn slice(link: Linktype, data: &[u8]) -> Option<LaxSlicedPacket<'_>> {
    const LINUX_SLL2: Linktype = Linktype(276);
    let behind = |header: usize, protocol: usize| {
        let ty = data.get(protocol..)?.first_chunk().copied().map(u16::from_be_bytes)?;
        Some(LaxSlicedPacket::from_ether_type(EtherType(ty), data.get(header..)?))
    };
    match link {
        Linktype::ETHERNET => LaxSlicedPacket::from_ethernet(data).ok(),
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 => LaxSlicedPacket::from_ip(data).ok(),
        // Four bytes of address family, in the order of the capturing machine; the IP version says the same.
        Linktype::NULL | Linktype::LOOP => LaxSlicedPacket::from_ip(data.get(4..)?).ok(),
        Linktype::LINUX_SLL => behind(16, 14),
        LINUX_SLL2 => behind(20, 0),
        _ => None,
    }
}
