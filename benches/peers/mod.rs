//! What the benches compare with: hand-written code as the floor, other codecs on messages of like content.
//!
//! The peers do the least that their kind can: no dispatch over message types, no errors with a field in them,
//! nothing kept for a byte-exact way back. Whatever the crate does beyond that, it pays for in these figures.

pub(crate) mod bare;
pub(crate) mod hand;
pub(crate) mod http;
pub(crate) mod postcard;
pub(crate) mod prost;
pub(crate) mod raw;

/// Bytes in the body of every MIGRATE_BEGIN_SEAMLESS here.
pub(crate) const BEGIN_SIZE: usize = 75;

/// What a MIGRATE_BEGIN_SEAMLESS says. Strings are without NUL.
#[derive(Clone, Debug)]
pub(crate) struct Begin {
    pub(crate) port: u16,
    pub(crate) tls_port: u16,
    pub(crate) host: String,
    pub(crate) cert_subject: String,
    pub(crate) version: u32,
}

/// What a PING says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ping {
    pub(crate) id: u32,
    pub(crate) timestamp: u64,
}

/// Destination number `index`: the split between host and subject moves, the size of the body does not.
pub(crate) fn begin(index: usize) -> Begin {
    const STRINGS: usize = BEGIN_SIZE - 24 /* fixed part */ - 2 /* NULs */;
    let suffix = ".vm.example.org";
    let prefix = 1 + index % 14;
    let host: String = (0..prefix).map(|at| letter(index / 14 + at * 7)).collect::<String>() + suffix;
    let head = "O=Example,CN=";
    let tail = STRINGS - host.len() - head.len();
    let cert_subject = head.to_owned() + &(0..tail).map(|at| letter(index + at)).collect::<String>();
    let number = u16::try_from(index % 1000).unwrap();
    Begin { port: 5900 + number, tls_port: 6900 + number, host, cert_subject, version: 1 + u32::from(number) % 3 }
}

/// Ping number `index`.
pub(crate) fn ping(index: usize) -> Ping {
    let id = u32::try_from(index).unwrap() + 1;
    Ping { id, timestamp: 1_700_000_000_000_000 + u64::from(id) * 997 }
}

fn letter(number: usize) -> char {
    char::from(b'a' + u8::try_from(number % 26).unwrap())
}

/// Bytes of a string with its NUL.
pub(crate) fn c_string(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    bytes
}
