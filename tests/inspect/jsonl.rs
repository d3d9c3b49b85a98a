//! `.jsonl` files: what is accepted, and what is said of others.

use crate::{input, spice, temporary};

fn read(name: &str, text: &str) -> Result<Vec<input::Conversation>, String> {
    input::read(&temporary(name, text.as_bytes()), &[]).map(|input| input.conversations)
}

/// Connection, client's bytes, server's bytes.
fn contents(conversations: &[input::Conversation]) -> Vec<(&str, &[u8], &[u8])> {
    conversations.iter().map(|it| (it.conn.as_str(), it.client.bytes.as_slice(), it.server.bytes.as_slice())).collect()
}

#[test]
fn parts_are_concatenated_and_other_keys_ignored() {
    let text =
        r#"{"conn":"x","dir":"s2c","len":7,"parts":[{"hex":"0102"},{"zeros":3},{"hex":"FFfe"}],"extra":{"a":1}}"#;
    assert_eq!(contents(&read("parts.jsonl", text).unwrap()), [("x", &[][..], &[1, 2, 0, 0, 0, 0xff, 0xfe][..])]);
}

#[test]
fn directions_find_each_other() {
    let text = r#"
{"conn":"x","dir":"s2c","hex":"01"}
{"conn":"y","dir":"c2s","hex":"02"}
{"conn":"x","dir":"c2s","hex":"03"}

{"conn":"y","dir":"c2s","hex":"04"}
{"conn":"y","dir":"s2c","hex":"05"}
"#;
    // The name of y is used twice: the second line of the same direction begins another connection.
    let conversations = read("directions.jsonl", text).unwrap();
    assert_eq!(contents(&conversations), [("x", &[3][..], &[1][..]), ("y", &[2], &[]), ("y", &[4], &[5])]);
    assert!(conversations.iter().all(|each| each.chosen));
}

#[test]
fn peers_that_are_neither_client_nor_server() {
    let text =
        "{\"conn\":\"A->B\",\"dir\":\"a2b\",\"hex\":\"01\"}\n{\"conn\":\"A->B\",\"dir\":\"b2a\",\"hex\":\"02\"}\n";
    let conversations = read("peers.jsonl", text).unwrap();
    assert_eq!(contents(&conversations), [("A->B", &[1][..], &[2][..])]);
    assert_eq!((conversations[0].client.dir.as_str(), conversations[0].server.dir.as_str()), ("a2b", "b2a"));
}

#[test]
fn lines_that_are_wrong_are_named() {
    let good = r#"{"conn":"x","dir":"c2s","hex":""}"#;
    for (line, expected) in [
        ("{", "line 2: EOF while parsing"),
        (r#"{"dir":"c2s","hex":""}"#, "missing field `conn`"),
        (r#"{"conn":"x","dir":"up","hex":""}"#, "line 2: dir \"up\" is none of c2s, s2c"),
        (r#"{"conn":"x","dir":"c2s"}"#, "line 2: needs either hex or parts"),
        (r#"{"conn":"x","dir":"c2s","hex":"","parts":[]}"#, "needs either hex or parts"),
        (r#"{"conn":"x","dir":"c2s","hex":"0"}"#, "line 2: hex is not hexadecimal"),
        (r#"{"conn":"x","dir":"c2s","hex":"0g"}"#, "hex is not hexadecimal"),
        (r#"{"conn":"x","dir":"c2s","hex":"é"}"#, "hex is not hexadecimal"),
        (r#"{"conn":"x","dir":"c2s","parts":[{"zeros":-1}]}"#, "did not match any variant"),
        // Not a byte of it is stored.
        (r#"{"conn":"x","dir":"c2s","parts":[{"zeros":1000000000000000}]}"#, "at most 1073741824 bytes"),
        (
            r#"{"conn":"x","dir":"c2s","parts":[{"zeros":1},{"zeros":18446744073709551615}]}"#,
            "at most 1073741824 bytes",
        ),
    ] {
        let reason = read("wrong.jsonl", &format!("{good}\n{line}\n")).expect_err(line);
        assert!(reason.contains(expected), "{line}: {reason}");
    }
    let run = spice(&[], &temporary("not-utf8.jsonl", &[0xff, 0xfe]));
    assert_eq!((run.status, run.out.as_str()), (Some(2), ""));
}
