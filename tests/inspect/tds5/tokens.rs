//! What is shown of each token, and what is not.

use super::{captured_login, conversation, facts, hex, packet, records, tds5, vectors};
use crate::name;
use serde_json::{Value, json};
use std::fs;

#[test]
fn numbers_without_a_name_stay_numbers() {
    let mut login = captured_login();
    login[132] = 0x42;
    login[514] = 0xa1;
    login[516..523].copy_from_slice(&[0x30, 1, 2, 3, 4, 5, 6]);
    login.truncate(568);
    login.extend_from_slice(b"\xe2\x0a\0\x01\x01\x03\x02\0\x03\x01\x02\x09\0");
    let client = [packet(2, true, &login), packet(15, true, b"\x65\x04\x80\x39\x30\x07\xa6\x04\0\x09\x05\x01\xff")];
    let records = records("numbers.jsonl", &client.concat(), &packet(4, true, b"\xfd\x01\x01\x09\0\xff\xff\xff\xff"));
    let fields: Vec<_> = records.iter().map(|record| facts(record).3).collect();
    assert_eq!(fields[0]["connection_type"], json!(["REMOTE_USER", 0x40]));
    assert_eq!(fields[0]["security_login"], json!(["ENCRYPT", "ENCRYPT_2", "ENCRYPT_3"]));
    assert_eq!(fields[0]["ha_login"], json!(["MIGRATE", 0x20]));
    assert_eq!(fields[0]["session_id_len"], 6);
    let mask = |ty: Value, length: u8, set: Value| json!({"type": ty, "length": length, "set": set});
    let masks = json!([
        mask("REQUEST".into(), 1, json!([0, "LANGUAGE"])),
        mask("RESPONSE".into(), 0, json!([])),
        mask("SECURITY".into(), 1, json!([1])),
        mask(9.into(), 0, json!([])),
    ]);
    assert_eq!(fields[1]["masks"], masks);
    assert_eq!(fields[2], json!({"status": 128, "id": 12345, "extra_len": 1}));
    assert_eq!(fields[3], json!({"action": 9, "option": 5, "argument_len": 1, "argument": "ff"}));
    assert_eq!(fields[4], json!({"status": ["MORE", 256], "transaction": 9, "count": -1}));
}

/// Each token with its fields: a server's response in either byte order.
#[test]
fn every_token_in_either_byte_order() {
    for big in [false, true] {
        let u16 = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let u32 = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let column = |name: &[u8], status: &[u8], ty: &[u8]| {
            [&[u8::try_from(name.len()).unwrap()], name, status, &u32(7), ty, &[0]].concat()
        };
        let sized = |ty: u8, body: &[u8]| [&[ty], &u16(u16::try_from(body.len()).unwrap())[..], body].concat();
        let wide = |ty: u8, body: &[u8]| [&[ty], &u32(u32::try_from(body.len()).unwrap())[..], body].concat();
        let int4 = [&u16(1)[..], &column(b"n", &[0], &[0x38])].concat();
        let long = [&[0xaf][..], &u32(0x7fff_ffff)].concat();
        let origin = [&b"\x01l\0\0\x01t"[..], &column(b"c", &u32(0x20), &long)].concat();
        let decimal = [&u16(1)[..], &column(b"", &u32(8), &[0x6a, 17, 10, 2])].concat();
        let tokens: [(&str, Vec<u8>, Value); 24] = [
            (
                "PARAMFMT",
                sized(0xec, &int4),
                json!({"count": 1, "columns": [
                {"name": "n", "status": 0, "user_type": 7, "data_type": "INT4", "size": null, "locale": ""}]}),
            ),
            ("PARAMS", [&[0xd7][..], &u32(5)].concat(), json!({"lengths": [4]})),
            (
                "PARAMFMT2",
                wide(0x20, &decimal),
                json!({"count": 1, "columns": [
                {"name": "", "status": 8, "user_type": 7, "data_type": "DECN", "size": "110a02", "locale": ""}]}),
            ),
            ("PARAMS", b"\xd7\x01".to_vec(), json!({"lengths": [null]})),
            (
                "ROWFMT",
                sized(0xee, &int4),
                json!({"count": 1, "columns": [
                {"name": "n", "status": 0, "user_type": 7, "data_type": "INT4", "size": null, "locale": ""}]}),
            ),
            ("ROW", [&[0xd1][..], &u32(5)].concat(), json!({"lengths": [4]})),
            (
                "ROWFMT2",
                wide(0x61, &[&u16(1)[..], &origin].concat()),
                json!({"count": 1, "columns": [
                {"name": "c", "status": 0x20, "user_type": 7, "data_type": "LONGCHAR", "size": 0x7fff_ffff_u32,
                 "locale": "", "origin": ["l", "", "", "t"]}]}),
            ),
            ("ROW", [&[0xd1][..], &u32(2), b"ab"].concat(), json!({"lengths": [2]})),
            (
                "EED",
                sized(
                    0xe5,
                    &[&u32(5701)[..], b"\x01\x0a\x05ZZZZZ\x02", &u16(1), &u16(2), b"hi\x01s\0", &u16(3), b"x"].concat(),
                ),
                json!({"number": 5701, "state": 1, "class": 10, "sql_state": "ZZZZZ", "status": "INFO", "transaction": 1,
                    "text": "hi", "server": "s", "procedure": "", "line": 3, "extra_len": 1}),
            ),
            (
                "ERROR",
                sized(0xaa, &[&u32(1)[..], b"\x02\x03", &u16(1), b"e\0\x01p", &u16(4)].concat()),
                json!({"number": 1, "state": 2, "class": 3, "text": "e", "server": "", "procedure": "p", "line": 4}),
            ),
            (
                "INFO",
                sized(0xab, &[&u32(1)[..], b"\x02\x03", &u16(1), b"i\0\0", &u16(4)].concat()),
                json!({"number": 1, "state": 2, "class": 3, "text": "i", "server": "", "procedure": "", "line": 4}),
            ),
            (
                "DONEPROC",
                [&[0xfe][..], &u16(0x18), &u16(2), &u32(9)].concat(),
                json!({"status": ["PROCEDURE", "COUNT"], "transaction": 2, "count": 9}),
            ),
            (
                "DONEINPROC",
                [&[0xff][..], &u16(5), &u16(2), &u32(0)].concat(),
                json!({"status": ["MORE", "IN_TRANSACTION"], "transaction": 2, "count": 0}),
            ),
            ("RETURNSTATUS", [&[0x79][..], &u32(0xffff_fffe)].concat(), json!({"value": -2})),
            ("CONTROL", sized(0xae, b"\x02ab\0"), json!({"columns": ["ab", ""]})),
            ("OPTIONCMD", sized(0xa6, b"\x04\x09\0"), json!({"action": "INFO", "option": 9, "argument_len": 0})),
            (
                "LOGINACK",
                sized(0xad, b"\x85\x05\0\0\0\x09ab\x01\x02\x03\x04"),
                json!({"status": 0x85, "verdict": "SUCCEED", "tds_version": "05000000", "name_length": 9,
                    "program_name": "ab", "program_version": "01020304"}),
            ),
            ("LANGUAGE", wide(0x21, b"\0use db"), json!({"status": 0, "text_len": 6})),
            ("DYNAMIC", sized(0xe7, b"secret"), json!({})),
            ("CURINFO", sized(0x83, b"secret"), json!({})),
            ("PROCID", b"\x7c12345678".to_vec(), json!({})),
            ("Unknown", sized(0xef, b"secret"), json!({})),
            ("Unknown", wide(0x2f, b"secret"), json!({})),
            ("Unknown", b"\x38\x01\x02\x03\x04".to_vec(), json!({})),
        ];
        let mut login = captured_login();
        if big {
            for (at, code) in [(124, 2), (125, 0), (127, 4), (128, 8), (478, 12), (479, 16)] {
                login[at] = code;
            }
            login[568..571].copy_from_slice(&[0xe2, 0, 32]);
        }
        let response: Vec<u8> = tokens.iter().flat_map(|(_, token, _)| token.clone()).collect();
        let found = records("tokens.jsonl", &packet(2, true, &login), &packet(4, true, &response));
        let mut offset = 8;
        let expected = tokens.iter().map(|(name, token, fields)| {
            offset += token.len() as u64;
            (offset - token.len() as u64, token.len() as u64, *name, fields.clone())
        });
        assert_eq!(found[2..].iter().map(facts).collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "big: {big}");
        for (record, (.., token, _)) in found[2..].iter().zip(&tokens) {
            assert_eq!(record["type"], token[0]);
            let head = match token[0] {
                0x20 | 0x21 | 0x2f | 0x61 => 5,
                0xd7 | 0xd1 | 0xfe | 0xff | 0x79 | 0x7c | 0x38 => 1,
                _ => 3,
            };
            assert_eq!(record["size"], token.len() as u64 - head, "{record}");
        }
    }
}

#[test]
fn values_are_shown_where_they_are_no_secret() {
    // An INTN, a LONGBINARY and a VARCHAR that is NULL.
    let format = b"\xec\x20\0\x03\0\0\0\0\0\0\0\x26\x04\0\0\0\0\0\0\0\xe1\xff\xff\xff\x7f\0\0\0\0\0\0\0\x27\xff\0";
    let params = b"\xd7\x04\xfe\xff\xff\xff\x02\0\0\0\xab\xcd\0";
    let shown = json!({"values": [-2, "abcd", null]});
    let hidden = json!({"lengths": [4, 2, null]});
    let done = b"\xfd\0\0\0\0\0\0\0\0";
    for (number, (owner, between, expected)) in [
        (&b"\x65\x03\x01\x11\0"[..], &b""[..], &shown),
        (b"\x65\x03\x01\x15\0", b"", &shown),
        (b"\xe5\x10\0\x01\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0", b"", &shown),
        (b"\xe5\x10\0\x01\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0", b"", &shown),
        // Messages that carry ids and passwords, and others.
        (b"\x65\x03\x01\x0c\0", b"", &hidden),
        (b"\x65\x03\x01\x1e\0", b"", &hidden),
        (b"\x65\x03\x01\x12\0", b"", &hidden),
        // Parameters of something else: not announced, or something is in between.
        (b"\x65\x03\0\x11\0", b"", &hidden),
        (b"\xe5\x10\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", b"", &hidden),
        (b"\x65\x03\x01\x11\0", done, &hidden),
        (b"", b"", &hidden),
    ]
    .into_iter()
    .enumerate()
    {
        let server = packet(4, true, &[owner, between, format, params].concat());
        let records = records("values.jsonl", b"", &server);
        assert_eq!(facts(records.last().unwrap()).3, *expected, "{number}");
    }
    // Only the first ones, and not beyond the end of the message.
    let request = b"\x65\x03\x01\x11\0";
    let twice = [&request[..], format, params, params].concat();
    let later = [packet(4, true, &[&request[..], format].concat()), packet(4, true, params)].concat();
    for server in [packet(4, true, &twice), later] {
        assert_eq!(facts(records("values.jsonl", b"", &server).last().unwrap()).3, hidden);
    }
}

#[test]
fn no_secret_is_printed() {
    let mut paths = vectors();
    // Passwords that are cut off, in the wrong place, in a message, in a command.
    let login = captured_login();
    let client = [packet(2, false, &login[..504]), packet(2, true, &login[504..])].concat();
    let mut wrong = client.clone();
    wrong[8 + 92] = 31;
    let encrypted =
        [&client[..], &packet(15, true, b"\x65\x03\x01\x1f\0\xec\x0b\0\x01\0\0\0\0\0\0\0\x27\xff\0\xd7\x06secret")];
    let command = [&client[..], &packet(15, true, b"\x21\x07\0\0\0\0secret"), &packet(1, true, b"secret")].concat();
    let remote = [&client[..210], b"\x09", &client[211..]].concat();
    for (index, client) in
        [&client[..90], &wrong, &encrypted.concat(), &command, &remote, &client[..400]].into_iter().enumerate()
    {
        paths.push(conversation(&format!("secret-{index}.jsonl"), client, b""));
    }
    for path in paths {
        let content = fs::read(&path).unwrap();
        let forms = ["secret", &hex(b"secret"), "a1b2c3d4e5f6", "161,178,195", "115,101,99,114"];
        let there = |form: &str| content.windows(form.len()).any(|part| part == form.as_bytes());
        assert!(
            forms.iter().any(|form| there(form))
                || ["login_emptypw.jsonl", "login_longuser.jsonl"].contains(&name(&path)),
            "{}: there is no secret in it",
            name(&path)
        );
        for format in ["json", "text"] {
            let run = tds5(&["--verify", "--format", format], &path);
            for form in forms {
                let printed = (run.out.clone() + &run.err).to_lowercase();
                assert!(!printed.contains(form), "{}: {form} in {printed}", name(&path));
            }
            assert!(!run.out.is_empty(), "{}", name(&path));
        }
    }
}
