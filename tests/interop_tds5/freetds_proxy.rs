//! A proxy that cuts what passes into other pieces, in both directions.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// Where the bytes that come in one piece are cut.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// Behind every byte.
    EveryByte,
    /// In two, at one place more with every piece: if all are alike, at each place in turn.
    EachPlace,
    /// Into pieces of 1 to 700 bytes.
    Random(u64),
    /// Nowhere: what comes within [`GATHER`] goes on in one piece.
    Nowhere,
}

/// Long enough for a piece to be taken before the next one comes, on a machine that is not busy.
const PAUSE: Duration = Duration::from_micros(20);
const LONG_PAUSE: Duration = Duration::from_millis(1);

const GATHER: Duration = Duration::from_millis(200);

/// Starts a proxy for the server at `port`, and gives its own.
pub fn start(port: u16, cut: Cut) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let own = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the server listens");
            let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || pass(client, server, cut));
            thread::spawn(move || pass(back.0, back.1, cut));
        }
    });
    own
}

/// Passes on what comes until nothing more does.
fn pass(mut from: TcpStream, mut to: TcpStream, cut: Cut) {
    let _ = to.set_nodelay(true);
    let mut random = StdRng::seed_from_u64(if let Cut::Random(seed) = cut { seed } else { 0 });
    let mut buffer = vec![0; 64 << 10];
    let mut count = 0;
    while let Ok(mut size @ 1..) = from.read(&mut buffer) {
        if let Cut::Nowhere = cut {
            let _ = from.set_read_timeout(Some(GATHER));
            while let Ok(more @ 1..) = from.read(&mut buffer[size..]) {
                size += more;
            }
            let _ = from.set_read_timeout(None);
        }
        let mut rest = &buffer[..size];
        let mut place = count % size;
        count += 1;
        while !rest.is_empty() {
            let (length, pause) = match cut {
                Cut::EveryByte => (1, PAUSE),
                Cut::EachPlace => (std::mem::take(&mut place), LONG_PAUSE),
                Cut::Nowhere => (rest.len(), PAUSE),
                Cut::Random(_) => (random.gen_range(1..=700), PAUSE),
            };
            let length = if length == 0 { rest.len() } else { length.min(rest.len()) };
            let (piece, behind) = rest.split_at(length);
            if to.write_all(piece).is_err() {
                return;
            }
            rest = behind;
            thread::sleep(pause);
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
