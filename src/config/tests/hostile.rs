//! Nothing that a file may contain makes the reader panic.

use std::{fmt::Write, path::Path};

use proptest::prelude::*;

use crate::config::{
    Config, address, keys,
    target::{self, Public},
};

fn any_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:?}")),
        any::<bool>().prop_map(|flag| flag.to_string()),
        any::<String>().prop_map(|text| format!("{text:?}")),
        Just("nan".to_owned()),
        Just("2026-11-23T10:00:00Z".to_owned()),
        Just("\"rust\"".to_owned()),
        Just("\"npm\"".to_owned()),
        Just("{ PORT = 1 }".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        proptest::collection::vec(inner, 0..4).prop_map(|values| format!("[{}]", values.join(", ")))
    })
}

fn any_lines(keys: Vec<&'static str>) -> impl Strategy<Value = String> {
    let line = (proptest::sample::select(keys), any_value());
    proptest::collection::hash_map(line.0, line.1, 0..6).prop_map(|lines| {
        lines.iter().fold(String::new(), |mut text, (key, value)| {
            let _ = writeln!(text, "{key} = {value}");
            text
        })
    })
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = Config::parse(&text, Path::new("/")).map_err(|invalid| invalid.to_string());
    }

    #[test]
    fn no_toml_makes_the_reader_panic_and_every_refusal_says_something(
        top in any_lines(keys::TOP.to_vec()),
        main in any_lines(keys::of_process(None)),
        name in "[a-z\"= ]{0,8}",
    ) {
        let text = format!("{top}\n[process.{name}]\n{main}");
        match Config::parse(&text, Path::new("/")) {
            Ok(config) => prop_assert!(!config.processes.is_empty()),
            Err(invalid) => prop_assert!(!invalid.problems.is_empty()),
        }
    }

    #[test]
    fn no_address_makes_the_reader_panic(
        any in any::<String>(),
        alike in "(http://|unix:|tcp://)?[a:\\[\\]0-9./@#?{}port ]{0,24}",
        public in proptest::collection::vec(any::<std::net::SocketAddr>(), 0..3),
    ) {
        for text in [&any, &alike] {
            for public in [Public::Absent, Public::At(&public)] {
                let _ = target::http(text, public);
                let _ = target::tcp(text, public);
            }
            let _ = address::listen(text, Path::new("/"));
            let quoted = format!("{text:?}");
            for line in [
                format!("listen = [{quoted}]"),
                format!("listen = {{ {quoted} = {quoted} }}"),
                format!("port = {quoted}"),
                format!("ready = {{ http = {quoted}, {quoted} = 1 }}"),
            ] {
                let file = format!("mcp_port = 1\n[process.a]\ntype = \"rust\"\n{line}\n");
                let _ = Config::parse(&file, Path::new("/")).map_err(|invalid| invalid.to_string());
            }
        }
    }
}
