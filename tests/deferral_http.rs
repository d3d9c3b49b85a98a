//! The servers of the historical protocol in the example `deferral`, and a client that behaves as the original does: an
//! absolute target, no Host, one byte a segment, whatever the status, until RETURN or REDIRECT; and its order.

#[path = "../examples/deferral/http.rs"]
mod http;
#[path = "../examples/deferral/work.rs"]
mod work;

use bytes::Bytes;
use handover::deferral::text::{
    AnswerStream, CONTENT_TYPE, Call, Context, Directive, Ending, Item, RcFile, Redirect, RedirectKind, Server, Step,
    Walk,
};
use handover::wire::Framer;
use http::Servers;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// Ample: commands take less than half a second each.
const PATIENCE: Duration = Duration::from_secs(30);
const AGENT: &str = "User-Agent: Java Runtime, Debian 17.0.15 (Linux, amd64, 6.1)\r\n";

fn servers(count: usize) -> Servers {
    Servers::start(&vec![0; count], work::SLOW, false).unwrap()
}

fn base(servers: &Servers, index: usize) -> String {
    format!("http://127.0.0.1:{}/", servers.ports()[index])
}

fn wait(what: impl Fn() -> bool) {
    let since = Instant::now();
    while !what() {
        assert!(since.elapsed() < PATIENCE, "it does not come to that");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The target, as bytes.
fn target(call: &Call, base: &str) -> Vec<u8> {
    call.target(base.as_bytes()).expect("a target")
}

fn call(path: &[u8], argument: &str, allow_redirect: bool) -> Call {
    let context = Context {
        user_name: "me".into(),
        client_platform: "Linux".into(),
        current_directory: "/home/me/work/".into(),
        user_home_directory: "/home/me/".into(),
        timezone_offset: -210,
        rc: Some(RcFile { contents: "a\nb".into(), path: "/home/me/.csf".into() }),
    };
    let path = Bytes::copy_from_slice(path);
    Call { path, arguments: vec![argument.to_owned().into()], allow_redirect, ..Call::new("", context) }
}

fn connect(url: &str) -> Option<TcpStream> {
    let stream = TcpStream::connect(url.strip_prefix("http://")?.trim_end_matches('/')).ok()?;
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Some(stream)
}

/// Sends a request as the original does: byte by byte.
fn send(stream: &mut TcpStream, target: &[u8]) {
    let request = [b"GET ", target, b" HTTP/1.1\r\n", AGENT.as_bytes(), b"\r\n"].concat();
    for byte in request {
        stream.write_all(&[byte]).unwrap();
    }
}

/// Everything up to the end of the stream.
fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    all
}

/// The type of an answer, as the original sees it, and its directives up to the last one; `None` if it sees none.
fn answer(stream: &mut TcpStream) -> Option<(Vec<Directive>, Ending)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\n\n") {
        if stream.read(&mut byte).ok()? == 0 {
            break;
        }
        head.extend(byte.iter().filter(|byte| **byte != b'\r'));
    }
    let head = String::from_utf8(head).unwrap();
    let header =
        |line: &str| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    let mut types = head.lines().filter_map(header).filter(|(name, _)| name == "content-type");
    if types.next_back()?.1 != CONTENT_TYPE {
        return None;
    }
    let mut stream_of = Framer::new(AnswerStream::default());
    let mut directives = Vec::new();
    loop {
        while let Some(item) = stream_of.next_item().unwrap() {
            match item {
                Item::Directive(directive) => directives.push(directive),
                Item::Skipped(what) => panic!("{what}"),
                Item::End(ending) => return Some((directives, ending)),
            }
        }
        match stream.read(&mut byte).ok()? {
            0 => return Some((directives, Ending::Unknown(handover::deferral::text::Doubt::EndOfStream))),
            _ => stream_of.push(&byte),
        }
    }
}

/// What came of a walk.
#[derive(Debug)]
struct Run {
    /// Which server was asked, for what, and whether it might send on: by its place in the list of servers.
    contacts: Vec<(usize, String, bool)>,
    shown: Vec<String>,
    /// What was returned; `None` if nobody would.
    status: Option<i32>,
}

/// The original client.
fn run(servers: &[String], first: usize, command: &str, argument: &str) -> Run {
    let mut walk = Walk::new(Server::new(servers[first].clone()), format!("csf/command/{command}"));
    let mut run = Run { contacts: Vec::new(), shown: Vec::new(), status: None };
    while let Step::Ask(server) = walk.next() {
        assert!(run.contacts.len() < 20, "{run:?}");
        let url = std::str::from_utf8(&server.url).unwrap();
        let index = servers.iter().position(|known| known == url).unwrap();
        run.contacts.push((index, String::from_utf8(walk.path().to_vec()).unwrap(), walk.allow_redirect()));
        let Some(mut stream) = connect(url) else {
            walk.dead();
            continue;
        };
        send(&mut stream, &target(&call(walk.path(), argument, walk.allow_redirect()), url));
        let Some((directives, ending)) = answer(&mut stream) else {
            walk.dead();
            continue;
        };
        for directive in directives {
            match directive {
                Directive::Display(text) => run.shown.push(String::from_utf8(text.to_vec()).unwrap()),
                Directive::Return(status) => run.status = Some(status),
                Directive::Redirect(Redirect { kind, path, servers }) => {
                    walk.redirected(kind, path, servers.into_iter().map(Server::new).collect());
                }
                other => panic!("{other:?}"),
            }
        }
        match ending {
            Ending::Returned(_) => return run,
            Ending::Redirected(_) => {}
            Ending::Unknown(doubt) => panic!("{doubt:?}"),
        }
    }
    run
}

/// A command that is carried out by a server while something else happens.
fn occupy(servers: &Servers, bases: &[String], index: usize, command: &'static str) -> thread::JoinHandle<Run> {
    let all = bases.to_vec();
    let busy = thread::spawn(move || run(&all, index, command, "busy"));
    wait(|| servers.load(index).0 == 1);
    busy
}

fn three() -> (Servers, Vec<String>) {
    let servers = servers(3);
    let bases = (0..3).map(|index| base(&servers, index)).collect();
    (servers, bases)
}

const HELP: &str = "csf/command/help";

#[test]
fn an_answer_is_what_the_original_reads_safely() {
    let servers = servers(1);
    let mut stream = connect(&base(&servers, 0)).unwrap();
    send(&mut stream, &target(&call(HELP.as_bytes(), "me \"and\" \\ you", true), &base(&servers, 0)));
    let all = String::from_utf8(read_all(&mut stream)).unwrap();
    let (head, body) = all.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "DISPLAY \"help me \\\"and\\\" \\\\ you\"\nRETURN 0\n");
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
    let types: Vec<&str> = head.lines().filter(|line| line.starts_with("content-type")).collect();
    assert_eq!(types, ["content-type: cli/response"]);
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    assert!(!head.contains("transfer-encoding"), "{head}");
}

/// Encoded bytes are not text: what the client's bytes mean it does not say.
#[test]
fn arguments_are_bytes() {
    let servers = servers(1);
    let mut stream = connect(&base(&servers, 0)).unwrap();
    let mut call = call(HELP.as_bytes(), "", true);
    call.arguments = vec![Bytes::from_static(b"\xf6\xff\xe2\x82\xac\n")];
    send(&mut stream, &target(&call, &base(&servers, 0)));
    let (directives, ending) = answer(&mut stream).unwrap();
    assert_eq!(directives[0], Directive::Display(Bytes::from_static(b"help \xf6\xff\xe2\x82\xac\n")));
    assert_eq!(ending, Ending::Returned(0));
}

#[test]
fn what_other_clients_send_is_served() {
    let servers = servers(1);
    let heads: [&[u8]; 6] = [
        b"GET /csf/command/help?0=me&ALLOW-REDIRECT=T HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n",
        b"GET /csf/command/help?0=me&ALLOW-REDIRECT=NIL HTTP/1.0\r\n\r\n",
        b"GET /csf/command/help?0=me&ALLOW-REDIRECT=T HTTP/1.1\r\nExpect: 100-continue\r\n\r\n",
        b"GET /csf/command/help?0=me&ALLOW-REDIRECT=T&NEW=1 HTTP/1.1\nUser-Agent: me\n\n",
        b"GET https://me:you@db1.example/csf/command/help?0=me&ALLOW-REDIRECT=T HTTP/1.1\r\n\r\n",
        b"GET http://127.0.0.1/csf/command/help?0=me&ALLOW-REDIRECT=T#part HTTP/1.1\r\n\r\n",
    ];
    for head in heads {
        let mut stream = connect(&base(&servers, 0)).unwrap();
        stream.write_all(head).unwrap();
        let all = String::from_utf8(read_all(&mut stream)).unwrap();
        let shown = String::from_utf8_lossy(head);
        assert_eq!(&all[8..12], " 200", "{shown}");
        assert!(all.ends_with("\r\n\r\nDISPLAY \"help me\"\nRETURN 0\n"), "{shown}: {all}");
    }
}

#[test]
fn who_is_able_serves() {
    let (_servers, bases) = three();
    let run = run(&bases, 0, "help", "me");
    assert_eq!(run.contacts, [(0, HELP.to_owned(), true)]);
    assert_eq!((run.shown, run.status), (vec!["help me".to_owned()], Some(0)));
}

#[test]
fn who_is_busy_names_others() {
    let (servers, bases) = three();
    let busy = occupy(&servers, &bases, 0, "cset_close");
    let run = run(&bases, 0, "help", "me");
    assert_eq!(run.contacts.len(), 2, "{run:?}");
    assert_eq!(run.contacts[0], (0, HELP.to_owned(), true));
    assert!(run.contacts[1].0 != 0 && run.contacts[1].2, "{run:?}");
    assert_eq!((run.shown, run.status), (vec!["help me".to_owned()], Some(0)));
    assert_eq!(busy.join().unwrap().status, Some(0));
}

#[test]
fn who_is_not_able_names_who_is() {
    let (_servers, bases) = three();
    let run = run(&bases, 2, "cset_close", "me");
    let asked: Vec<usize> = run.contacts.iter().map(|(index, ..)| *index).collect();
    assert_eq!((asked, run.status), (vec![2, 0], Some(0)));
}

#[test]
fn who_has_been_round_the_block_waits_in_one_line() {
    let (servers, bases) = three();
    let busy = [(0, "cset_close"), (1, "ws_sync"), (2, "ws_sync")];
    let busy = busy.map(|(index, command)| occupy(&servers, &bases, index, command));
    let run = run(&bases, 0, "help", "me");
    let flags: Vec<bool> = run.contacts.iter().map(|(_, _, flag)| *flag).collect();
    assert_eq!(flags, [true, true, true, false], "{run:?}");
    let mut first: Vec<usize> = run.contacts[..3].iter().map(|(index, ..)| *index).collect();
    first.sort_unstable();
    assert_eq!(first, [0, 1, 2]);
    assert_eq!(run.shown, ["You stood in line behind 0, about 300 ms.", "help me"]);
    assert_eq!(run.status, Some(0));
    for busy in busy {
        assert_eq!(busy.join().unwrap().status, Some(0));
    }
}

#[test]
fn who_is_the_only_one_lets_wait() {
    let (servers, bases) = three();
    let busy = occupy(&servers, &bases, 0, "cset_close");
    let run = run(&bases, 0, "cset_close", "me");
    assert_eq!(run.contacts, [(0, "csf/command/cset_close".to_owned(), true)]);
    assert_eq!(run.shown, ["You stood in line behind 0, about 300 ms.", "cset_close me"]);
    busy.join().unwrap();
}

#[test]
fn a_long_look_goes_on_elsewhere() {
    let (_servers, bases) = three();
    let run = run(&bases, 0, "ws_create", "w");
    assert_eq!(run.contacts.len(), 2, "{run:?}");
    assert_eq!(run.contacts[0], (0, "csf/command/ws_create".to_owned(), true));
    let (index, path, flag) = &run.contacts[1];
    assert!(*index != 0 && path == "csf/command/ws_sync" && *flag, "{run:?}");
    assert_eq!(run.shown, ["ws_create w", "ws_sync w"]);
    assert_eq!(run.status, Some(0));
}

/// It stands in its own list, but not last: the original asks the last one first, and who is not in the list before all.
#[test]
fn who_continues_names_itself_first() {
    let (servers, bases) = three();
    let mut stream = connect(&bases[0]).unwrap();
    send(&mut stream, &target(&call(b"csf/command/ws_create", "w", true), &bases[0]));
    let (directives, ending) = answer(&mut stream).unwrap();
    assert_eq!(ending, Ending::Redirected(RedirectKind::Continue));
    let Some(Directive::Redirect(redirect)) = directives.last() else { panic!("{directives:?}") };
    assert_eq!(redirect.servers[0], bases[0].as_bytes());
    let mut all: Vec<&[u8]> = redirect.servers.iter().map(|server| &**server).collect();
    all.sort_unstable();
    let mut expected: Vec<&[u8]> = bases.iter().map(String::as_bytes).collect();
    expected.sort_unstable();
    assert_eq!(all, expected);
    drop(servers);
}

#[test]
fn one_server_alone_does_both_commands() {
    let servers = servers(1);
    let bases = [base(&servers, 0)];
    let run = run(&bases, 0, "ws_create", "w");
    assert_eq!(run.contacts.len(), 2);
    assert_eq!((run.shown, run.status), (vec!["ws_create w".to_owned(), "ws_sync w".to_owned()], Some(0)));
}

#[test]
fn a_client_that_goes_leaves_the_line() {
    let (servers, bases) = three();
    let busy = occupy(&servers, &bases, 0, "cset_close");
    let mut gone = connect(&bases[0]).unwrap();
    send(&mut gone, &target(&call(b"csf/command/cset_close", "gone", true), &bases[0]));
    wait(|| servers.load(0) == (1, 1));
    drop(gone);
    wait(|| servers.load(0).1 == 0);
    assert_eq!(busy.join().unwrap().status, Some(0));
    // It was never carried out: nothing runs now that should not.
    assert_eq!(servers.load(0), (0, 0));
}

#[test]
fn a_crowd_of_originals_is_served() {
    let (_servers, bases) = three();
    let commands = ["help", "cset_close", "ws_create", "help"];
    let clients: Vec<_> = (0..12)
        .map(|number| {
            let (bases, command) = (bases.clone(), commands[number % 4]);
            thread::spawn(move || (command, number, run(&bases, number % 3, command, &number.to_string())))
        })
        .collect();
    for client in clients {
        let (command, number, run) = client.join().unwrap();
        let last = if command == "ws_create" { "ws_sync" } else { command };
        assert_eq!(run.status, Some(0), "{run:?}");
        assert_eq!(run.shown.last(), Some(&format!("{last} {number}")), "{run:?}");
        // Twice round all of them for each command of the chain.
        assert!(run.contacts.len() <= 12, "{run:?}");
    }
}

#[test]
fn an_unknown_command_is_an_error() {
    let servers = servers(1);
    let run = run(&[base(&servers, 0)], 0, "nonsense", "");
    assert_eq!(run.status, Some(10_003));
    assert_eq!(run.shown, ["nonsense: no such command; there are help, cset_close, ws_create, ws_sync"]);
}

/// Whatever comes, the answer is an error that the original takes for a dead server, and the next one is served.
#[test]
fn what_is_malformed_is_an_http_error() {
    let servers = servers(1);
    let long = format!("GET /csf/command/help?CHANGESAFERC={} HTTP/1.1\r\n\r\n", "a".repeat(70_000));
    let endless = format!("GET /csf/command/help? HTTP/1.1\r\nA: {}", "a".repeat(500_000));
    let pairs = format!("GET /csf/command/help?{} HTTP/1.1\r\n\r\n", "a=b&".repeat(2000));
    let cases: &[(&[u8], &str)] = &[
        (b"\0\x01\x02\r\n\r\n", "400"),
        (b"GET\r\n\r\n", "400"),
        (b"GET /csf/command/he lp?ALLOW-REDIRECT=T HTTP/1.1\r\n\r\n", "400"),
        (b"GET /csf/command/h\xf6lp?ALLOW-REDIRECT=T HTTP/1.1\r\n\r\n", "400"),
        (b"GET /csf/command/he#lp?ALLOW-REDIRECT=T HTTP/1.1\r\n\r\n", "400"),
        (b"GET / HTTP/1.1\r\n\r\n", "400"),
        (b"GET * HTTP/1.1\r\n\r\n", "400"),
        (b"GET http:// HTTP/1.1\r\n\r\n", "400"),
        (b"GET /csf/command/help?0=%zz HTTP/1.1\r\n\r\n", "400"),
        (b"GET /csf/command/help?0=%4 HTTP/1.1\r\n\r\n", "400"),
        (b"GET /csf/command/help?1=a HTTP/1.1\r\n\r\n", "400"),
        (b"GET /csf/command/help?ALLOW-REDIRECT=MAYBE HTTP/1.1\r\n\r\n", "400"),
        (b"GET /csf/command/help?TIMEZONE-OFFSET=east HTTP/1.1\r\n\r\n", "400"),
        (b"GET /csf/command/help? HTTP/9.9\r\n\r\n", "400"),
        (b"POST /csf/command/help? HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "405"),
        (b"HEAD /csf/command/help? HTTP/1.1\r\n\r\n", "405"),
        (pairs.as_bytes(), "400"),
        (long.as_bytes(), "414"),
        (endless.as_bytes(), "431"),
    ];
    for (bytes, status) in cases {
        let mut stream = connect(&base(&servers, 0)).unwrap();
        // A server that has heard enough does not wait for the rest.
        let _ = stream.write_all(bytes);
        let mut head = [0; 12];
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
        stream.read_exact(&mut head).unwrap_or_else(|error| panic!("{shown}: {error}"));
        assert_eq!(std::str::from_utf8(&head[9..]), Ok(*status), "{shown}");
    }
    // Half a request, and nothing more.
    let mut half = connect(&base(&servers, 0)).unwrap();
    half.write_all(b"GET http://127.0.0.1/csf/com").unwrap();
    drop(half);
    assert_eq!(run(&[base(&servers, 0)], 0, "help", "me").status, Some(0));
}
