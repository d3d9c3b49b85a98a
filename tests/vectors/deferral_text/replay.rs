//! The walks of the original client, walked again (spec/deferral.md 6.4): the same servers, in the same order,
//! with the same flags and targets, and the same end.

use super::{Contact, Scenario, body, read, scenarios, streams};
use handover::deferral::text::{Call, Context, Directive, Doubt, Ending, Item, RedirectKind, Server, Step, Walk};

/// Scenarios that the original takes for success (exit 0) although nobody knows what has become of the command.
const MISTAKEN: [(&str, Doubt); 4] = [
    // The body ends without RETURN.
    ("10a_eof_after_display", Doubt::EndOfStream),
    // A blank line in front of RETURN 5: the original does not see that the command failed.
    ("12d_blank_line", Doubt::BlankLine),
    // CR LF behind a string is a blank line, again in front of RETURN 5.
    ("12g_crlf_string", Doubt::BlankLine),
    // A kind of redirection that it does not know, in front of RETURN 5.
    ("12r_unknown_kind", Doubt::UnknownRedirect),
];

/// A scenario that the original takes for an error (exit 1), which nobody knows either: RETURN without a number.
const NO_STATUS: &str = "10e_return_bare";

/// Which server a URL names, to the original: the host's address, the port, and the rest as it is.
fn key(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap();
    let authority = authority.rsplit('@').next().unwrap();
    let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
    let address = match host.to_ascii_lowercase().as_str() {
        "localhost" | "127.0.0.1" | "127.1" => "127.0.0.1",
        other => panic!("{other} is not in the vectors"),
    };
    format!("{}://{address}:{}/{path}", scheme.to_ascii_lowercase(), port.parse::<u32>().unwrap())
}

fn server(url: &str) -> Server {
    Server { key: key(url).into(), ..Server::new(url.to_owned()) }
}

/// How a walk ends.
#[derive(Debug, PartialEq)]
enum End {
    Returned(i32),
    Unknown(Doubt),
    /// Those that declined and those that are dead; and whether the client had been round the block.
    Failed {
        declined: Vec<String>,
        dead: Vec<String>,
        round_the_block: bool,
    },
}

/// Whether a contact is what the walk is about to do.
fn check(scenario: &Scenario, contact: &Contact, walk: &Walk, asked: &Server, context: &mut Option<Context>) {
    let Scenario { name, argv, .. } = scenario;
    let url = std::str::from_utf8(&asked.url).unwrap();
    let port = 17001 + u16::from(contact.server.as_bytes()[0] - b'A');
    assert!(url.contains(&format!(":{port}/")), "{name}: {url} is asked, not {}", contact.server);
    let Some(target) = &contact.target else { return };
    assert_eq!(contact.allow.as_deref(), Some(if walk.allow_redirect() { "T" } else { "NIL" }), "{name}");
    let call = Call {
        path: walk.path().clone(),
        arguments: argv.iter().skip(1).map(|argument| argument.clone().into()).collect(),
        allow_redirect: walk.allow_redirect(),
        // What surrounds the client is known from what it has said first.
        context: context.get_or_insert_with(|| Call::parse(target.as_bytes()).unwrap().context).clone(),
        unknown: Vec::new(),
    };
    assert_eq!(call.target(&asked.url).unwrap(), target.as_bytes(), "{name}");
}

fn replay(scenario: &Scenario) -> End {
    let Scenario { name, argv, primary, contacts, out, .. } = scenario;
    let streams = streams(name);
    let command = argv.first().map_or("help", String::as_str);
    let mut walk = Walk::new(server(primary), format!("csf/command/{command}"));
    let mut contacts = contacts.iter();
    let mut context = None;
    let end = loop {
        let asked = match walk.next() {
            Step::Ask(asked) => asked,
            Step::Failed { declined, dead } => {
                let urls = |list: Vec<Server>| list.iter().map(|server| format!("{server:?}")).collect();
                let round_the_block = !walk.allow_redirect();
                break End::Failed { declined: urls(declined), dead: urls(dead), round_the_block };
            }
        };
        let contact = contacts.next().unwrap_or_else(|| panic!("{name}: {asked:?} is one contact too many"));
        check(scenario, contact, &walk, &asked, &mut context);
        let answer = contact.conn.as_ref().and_then(|conn| body(&streams[conn][1]));
        let Some(answer) = answer else {
            walk.dead();
            continue;
        };
        let read = read(answer);
        let mut redirect = None;
        for (item, _) in read.items {
            match item {
                Item::Directive(Directive::Display(text)) => {
                    let text = String::from_utf8(text.to_vec()).unwrap();
                    assert!(out.contains(&text), "{name}: {text:?} was not shown");
                }
                Item::Directive(Directive::ChangeDirectory(directory)) => {
                    let context = context.as_mut().unwrap();
                    context.current_directory = [&directory[..], b"/"].concat().into();
                }
                Item::Directive(Directive::Redirect(found)) => redirect = Some(found),
                _ => {}
            }
        }
        match (read.ending, redirect) {
            (Ending::Returned(status), None) => break End::Returned(status),
            (Ending::Unknown(doubt), None) => break End::Unknown(doubt),
            (Ending::Redirected(kind), Some(redirect)) => {
                let servers = redirect.servers.iter().map(|url| server(std::str::from_utf8(url).unwrap())).collect();
                walk.redirected(kind, redirect.path, servers);
                // The new directory has a `.csf` file of its own, which the client has read by now.
                let target = contacts.as_slice().first().and_then(|next| next.target.as_ref());
                if let (Some(context), Some(target)) = (&mut context, target) {
                    let now = Call::parse(target.as_bytes()).unwrap().context;
                    assert_eq!(now.current_directory, context.current_directory, "{name}");
                    context.rc = now.rc;
                }
            }
            other => panic!("{name}: {other:?}"),
        }
    };
    assert!(contacts.as_slice().is_empty(), "{name}: {end:?}, but the original goes on");
    end
}

/// What the original prints of those that declined and those that did not answer.
fn listed(out: &str) -> [Vec<String>; 2] {
    let mut lists = [vec![], vec![]];
    let mut to = 0;
    for line in out.lines() {
        match line {
            "The following servers declined your request:" => to = 0,
            "The following servers did not respond:" => to = 1,
            line => lists[to].extend(line.strip_prefix("    ").map(str::to_owned)),
        }
    }
    lists[1].extend(out.lines().filter_map(|line| line.strip_prefix("Couldn't connect:  ")).map(str::to_owned));
    lists
}

#[test]
fn every_walk_is_walked_again() {
    let (mut mistaken, mut asked, mut failed) = (Vec::new(), 0, 0);
    for scenario in scenarios() {
        let Scenario { name, title, contacts, exit, out, err, .. } = &scenario;
        asked += contacts.len();
        match replay(&scenario) {
            End::Returned(0) => assert_eq!(*exit, 0, "{name}: {title}"),
            End::Returned(status) => {
                let kind = if status < 10_000 { "Warning" } else { "Error" };
                let said = format!("ChangeSafe status: {kind}[{status}]\n");
                assert!(*exit == 1 && out.ends_with(&said), "{name}: {out}");
            }
            End::Failed { declined, dead, round_the_block } => {
                failed += 1;
                // It says nothing when it has been round the block.
                let expected = if round_the_block { [vec![], vec![]] } else { [declined, dead] };
                assert_eq!((*exit, listed(out)), (1, expected), "{name}: {title}");
            }
            End::Unknown(doubt) if name == NO_STATUS => {
                assert_eq!((doubt, *exit), (Doubt::NoStatus, 1));
                assert!(err.contains("NumberFormatException"), "{err}");
            }
            End::Unknown(doubt) => {
                assert_eq!(*exit, 0, "{name}: it is mistaken for success");
                mistaken.push((name.clone(), doubt));
            }
        }
    }
    assert_eq!(mistaken, MISTAKEN.map(|(name, doubt)| (name.to_owned(), doubt)));
    assert_eq!((asked, failed), (116, 10));
}

/// Names of the same server (spec/deferral.md 6.4): as measured, although no vector shows it.
#[test]
fn one_server_under_two_names_is_asked_once() {
    let names = ["http://localhost:17001/", "http://127.1:017001/", "HTTP://me@127.0.0.1:17001/"];
    let keys = names.map(key);
    assert!(keys.iter().all(|other| *other == keys[0]), "{keys:?}");
    let mut walk = Walk::new(server(names[0]), "x");
    assert_eq!(walk.next(), Step::Ask(server(names[0])));
    walk.redirected(RedirectKind::NoService, None, names.map(server).to_vec());
    assert_eq!(walk.next(), Step::Failed { declined: vec![server(names[0])], dead: vec![] });
    // Another path is another server.
    let other = server("http://localhost:17001/x");
    let mut walk = Walk::new(server(names[0]), "x");
    assert_eq!(walk.next(), Step::Ask(server(names[0])));
    walk.redirected(RedirectKind::NoService, None, vec![other.clone()]);
    assert_eq!(walk.next(), Step::Ask(other));
}
