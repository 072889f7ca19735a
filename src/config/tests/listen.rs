//! `listen`.

use std::{fs, os::unix::net::UnixListener};

use bpm_actors::spec::{Listen, ListenAddress, Overlap, Sockets};

use super::{MINIMAL, in_rust, wrong, wrong_in_rust};
use crate::config::Config;

fn tcp(name: &str, address: &str) -> Listen {
    Listen {
        name: name.to_owned(),
        address: ListenAddress::Tcp(address.parse().unwrap()),
    }
}

fn unix(name: &str, path: &str) -> Listen {
    Listen {
        name: name.to_owned(),
        address: ListenAddress::Unix(path.into()),
    }
}

/// What is said about one address of a list.
fn about(address: &str) -> String {
    let problems = wrong_in_rust(&format!("listen = [{address}]"));
    let [problem] = problems.as_slice() else {
        panic!("{address}: {problems:?}");
    };
    let prefix = format!("5: process.main.listen[0] = {address}: ");
    problem.strip_prefix(&prefix).unwrap().to_owned()
}

/// What is said about `listen` for a command.
fn about_command(kind: &str, command: &str) -> Vec<String> {
    let text = format!(
        "mcp_port = 1\n[process.web]\ntype = \"{kind}\"\ncommand = {command}\nlisten = [\"127.0.0.1:8080\"]\n"
    );
    match Config::parse(&text, "/".as_ref()) {
        Ok(_) => Vec::new(),
        Err(_) => wrong(&text),
    }
}

#[test]
fn a_list_of_addresses_is_held_under_the_name_of_the_process() {
    let spec =
        in_rust("listen = [\"127.0.0.1:8080\", \"[::1]:8080\", \"run//./a.sock\", \"/run/b\"]");
    assert_eq!(
        spec.sockets,
        Sockets::Held {
            listen: vec![
                tcp("main", "127.0.0.1:8080"),
                tcp("main", "[::1]:8080"),
                unix("main", "/run/a.sock"),
                unix("main", "/run/b"),
            ],
            overlap: Overlap::Beside,
        }
    );
}

#[test]
fn a_table_of_addresses_gives_names_in_the_order_of_the_file() {
    let expected = Sockets::Held {
        listen: vec![tcp("web", "0.0.0.0:80"), unix("admin", "/a/b.sock")],
        overlap: Overlap::Alone,
    };
    let inline = "overlap = false\nlisten = { web = \"0.0.0.0:80\", admin = \"a/b.sock\" }";
    assert_eq!(in_rust(inline).sockets, expected);
    let table =
        "overlap = false\n[process.main.listen]\nweb = \"0.0.0.0:80\"\nadmin = \"a/b.sock\"";
    assert_eq!(in_rust(table).sockets, expected);
}

#[test]
fn an_address_that_is_none_is_answered_with_what_to_write() {
    let both =
        "write \"127.0.0.1:8080\" for this machine alone, or \"0.0.0.0:8080\" for its networks";
    let range = "the port must be a number from 1 to 65535";
    for text in [
        "8080",
        "\"8080\"",
        "\":8080\"",
        "\"localhost:8080\"",
        "\"*:8080\"",
        "0x1f90",
    ] {
        assert_eq!(
            about(text),
            format!("must name the IP too: {both}"),
            "{text}"
        );
    }
    for text in [
        "0",
        "\"70000\"",
        "\":0\"",
        "\"127.0.0.1:70000\"",
        "\"[::1]:x\"",
        "\"127.0.0.1:\"",
    ] {
        assert_eq!(about(text), range, "{text}");
    }
    for (text, advice) in [
        (
            "\"127.0.0.1:0\"",
            format!("{range}: nobody would find port 0"),
        ),
        ("\"[::]:0\"", format!("{range}: nobody would find port 0")),
        (
            "\"127.0.0.1\"",
            "lacks a port: write it as in \"127.0.0.1:8080\"".to_owned(),
        ),
        (
            "\"::1\"",
            "lacks a port: write it as in \"[::1]:8080\"".to_owned(),
        ),
        (
            "\"::1:80\"",
            "must have brackets around IPv6: write \"[::1]:80\"".to_owned(),
        ),
        (
            "\"[::ffff:127.0.0.1]:80\"",
            "is an IPv4 address: write \"127.0.0.1:80\"".to_owned(),
        ),
        (
            "\"example.org:80\"",
            "must be an IP address with a port, such as \"127.0.0.1:80\"; names are not looked up"
                .to_owned(),
        ),
        (
            "\"http://127.0.0.1:80/x\"",
            "must be an address alone: write \"127.0.0.1:80\"".to_owned(),
        ),
        (
            "\"unix:///run/x\"",
            "must be an address alone: write \"/run/x\"".to_owned(),
        ),
        (
            "\"unix:/run/x\"",
            "must be the path alone: write \"/run/x\"".to_owned(),
        ),
        ("true", "must be a string in quotes".to_owned()),
        ("[]", "must be a string".to_owned()),
    ] {
        assert_eq!(about(text), advice, "{text}");
    }
    for text in ["\"app.sock\"", "\"\"", "\"@app\"", "\"a:b\""] {
        assert_eq!(
            about(text),
            "must be IP:PORT, such as \"127.0.0.1:8080\", or a path with a slash, such as \
             \"./app.sock\"",
            "{text}"
        );
    }
}

#[test]
fn listen_is_a_list_or_a_table_with_something_in_it() {
    let must = |example: &str| {
        format!("must be a list of addresses, such as [\"{example}\"], or a table that names them")
    };
    for (value, example) in [
        ("8080", "127.0.0.1:8080"),
        ("\":9000\"", "127.0.0.1:9000"),
        ("\"0.0.0.0:80\"", "0.0.0.0:80"),
        ("\"/run/x\"", "/run/x"),
        ("true", "127.0.0.1:8080"),
        ("70000", "127.0.0.1:8080"),
    ] {
        assert_eq!(
            wrong_in_rust(&format!("listen = {value}")),
            [format!(
                "5: process.main.listen = {value}: {}",
                must(example)
            )]
        );
    }
    let one = "must name at least one address, such as [\"127.0.0.1:8080\"]";
    assert_eq!(
        wrong_in_rust("listen = []"),
        [format!("5: process.main.listen = []: {one}")]
    );
    assert_eq!(
        wrong_in_rust("listen = {}"),
        [format!("5: process.main.listen: {one}")]
    );

    let list = |count: usize| {
        let addresses = (0..count).map(|index| format!("\"./{index}.sock\""));
        format!("listen = [{}]", addresses.collect::<Vec<_>>().join(","))
    };
    let Sockets::Held { listen, .. } = in_rust(&list(Sockets::MOST)).sockets else {
        panic!("not held");
    };
    assert_eq!(listen.len(), 32);
    let problems = wrong_in_rust(&list(33));
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].ends_with(": must name at most 32 addresses"),
        "{problems:?}"
    );
}

#[test]
fn names_of_sockets_fit_into_a_list_with_colons() {
    let plain = "the name of a socket must not contain `:` or control characters";
    let length = "the name of a socket has 1 to 255 bytes";
    let long = "x".repeat(256);
    for (name, advice) in [
        ("\"a:b\"", plain),
        ("\"a\\n\"", plain),
        ("\"\"", length),
        (&long, length),
    ] {
        let problems = wrong_in_rust(&format!("listen = {{ {name} = \"127.0.0.1:80\" }}"));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].ends_with(&format!("\"127.0.0.1:80\": {advice}")),
            "{problems:?}"
        );
    }
    in_rust(&format!(
        "listen = {{ {} = \"127.0.0.1:80\" }}",
        "x".repeat(255)
    ));
}

#[test]
fn a_key_below_a_listen_table_is_told_where_it_belongs() {
    assert_eq!(
        wrong_in_rust("[process.main.listen]\nhttp = \"127.0.0.1:80\"\nfeatures = []"),
        [
            "7: process.main.listen.features = []: must be a string; the process's own features goes \
             above its listen table"
        ]
    );
}

#[test]
fn a_socket_has_a_path_that_can_be_bound() {
    for (text, advice) in [
        (
            "\"~/x.sock\"",
            "must be the path itself: nothing is expanded here",
        ),
        (
            "\"$XDG_RUNTIME_DIR/x\"",
            "must be the path itself: nothing is expanded here",
        ),
        ("\"./a\\tb\"", "must not contain control characters"),
        (
            "\"./\"",
            "must name a file for the socket, such as \"./app.sock\"",
        ),
        (
            "\"run/\"",
            "must name a file for the socket, such as \"run/app.sock\"",
        ),
        (
            "\"run/..\"",
            "must name a file for the socket, such as \"run/../app.sock\"",
        ),
        (
            "\"/\"",
            "must name a file for the socket, such as \"/app.sock\"",
        ),
        ("\"./a\\u0000\"", "must not contain NUL (\\u0000)"),
    ] {
        assert_eq!(about(text), advice, "{text}");
    }
    let fits = "x".repeat(106);
    in_rust(&format!("listen = [\"/{fits}\"]"));
    let problems = wrong_in_rust(&format!("listen = [\"./{fits}x\"]"));
    let advice =
        format!("must be at most 107 bytes long, as every path of a socket: /{fits}x has 108");
    assert!(problems[0].ends_with(&advice), "{problems:?}");
}

#[test]
fn what_lies_at_the_path_of_a_socket_is_not_overwritten_unless_it_is_one() {
    let project = tempfile::tempdir().unwrap();
    let dir = project.path();
    fs::create_dir(dir.join("folder")).unwrap();
    fs::write(dir.join("file"), "").unwrap();
    drop(UnixListener::bind(dir.join("socket")).unwrap());
    let refused = |name: &str| {
        let text = format!("{MINIMAL}listen = [\"./{name}\"]\n");
        Config::parse(&text, dir).map_err(|invalid| invalid.to_string())
    };

    let folder = refused("folder").unwrap_err();
    let advice = format!(
        "must name a file for the socket: {}/folder is a directory",
        dir.display()
    );
    assert!(folder.ends_with(&advice), "{folder}");
    let file = refused("file").unwrap_err();
    let advice = format!(
        "must be free for the socket: {}/file is something else",
        dir.display()
    );
    assert!(file.ends_with(&advice), "{file}");
    refused("socket").unwrap();
    refused("new").unwrap();
}

#[test]
fn package_managers_cannot_listen_and_are_told_of_port() {
    for (kind, command, name) in [
        ("npm", "[\"npm\", \"run\", \"dev\"]", "npm"),
        ("command", "[\"/usr/bin/npm\", \"start\"]", "npm"),
        ("npm", "[\"pnpm\", \"dev\"]", "pnpm"),
        ("npm", "[\"yarn\"]", "yarn"),
        ("npm", "[\"npx\", \"vite\"]", "npx"),
        ("npm", "[\"bunx\", \"vite\"]", "bunx"),
        (
            "npm",
            "[\"node\", \"/lib/npm/bin/npm-cli.js\", \"start\"]",
            "npm-cli.js",
        ),
        (
            "command",
            "[\"env\", \"-u\", \"X\", \"A=1\", \"-i\", \"npm\", \"start\"]",
            "npm",
        ),
        (
            "command",
            "[\"direnv\", \"exec\", \".\", \"env\", \"yarn\"]",
            "yarn",
        ),
        (
            "command",
            "[\"nohup\", \"setsid\", \"-w\", \"pnpm\", \"dev\"]",
            "pnpm",
        ),
    ] {
        assert_eq!(
            about_command(kind, command),
            [format!(
                "5: process.web.listen = [\"127.0.0.1:8080\"]: cannot go through {name}, which closes \
                 the sockets for the program that it starts: use port instead, or start the server \
                 itself, such as command = [\"node\", \"server.js\"]"
            )],
            "{command}"
        );
    }
    for command in [
        "[\"node\", \"server.js\"]",
        "[\"bun\", \"server.ts\"]",
        "[\"./npm-proxy\"]",
        "[\"env\"]",
        "[\"env\", \"-u\"]",
        "[\"direnv\", \"exec\"]",
        "[\"direnv\", \"allow\", \"npm\"]",
        "[\"python3\", \"npm\"]",
    ] {
        for kind in ["npm", "command"] {
            assert_eq!(about_command(kind, command), [""; 0], "{command}");
        }
    }
}
