//! `bpm reload`.

use serde_json::json;

use crate::support::{Bpm, Project, project::shell};

#[test]
fn a_reload_tells_what_changed_and_what_is_wrong() {
    let project = Project::new("cli-reload");
    let manual = |text: &str| project.config(&format!("reload = \"manual\"\n{text}"));
    let main = shell("main", "exec sleep 1000");
    manual(&main);
    let daemon = project.start();
    daemon.until_state("main", "running");
    let said = Bpm::says(&project, &["reload"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "nothing has changed\n")
    );

    manual(&format!("{main}env = {{ A = \"1\" }}\n"));
    let said = Bpm::says(&project, &["reload"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "main: is swapped without a build (env)\n")
    );

    manual(&format!("{main}nonsense = 1\n"));
    let said = Bpm::says(&project, &["reload", "--json"]);
    assert_eq!((said.code, said.stdout.as_str()), (2, ""));
    assert!(said.stderr.contains("nonsense"), "{said:?}");
    let status = Bpm::says(&project, &["status"]);
    assert!(
        status.stdout.contains(".mcp-run is wrong") && status.stdout.contains("nonsense"),
        "{status:?}"
    );

    manual(&main);
    let said = Bpm::says(&project, &["reload", "--json"]).json();
    assert_eq!(
        said["processes"],
        json!([{"name": "main", "change": "swapped", "keys": ["env"]}])
    );
}
