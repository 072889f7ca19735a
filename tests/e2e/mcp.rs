//! rmcp's client, in both eras of the protocol, against the real daemon.

use nix::sys::signal::Signal;
use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient,
    model::{
        CallToolRequestParams, CallToolResult, ClientConfig, ProgressNotificationParam,
        ProtocolVersion,
    },
    service::{NotificationContext, RunningService},
    transport::StreamableHttpClientTransport,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::support::{
    Daemon, Gate, Http, Project, eventually, pid_in,
    project::lives,
    shape::{self, has_shape, satisfies},
    signal,
};

const TOOLS: [&str; 7] = [
    "restart",
    "get_status",
    "search_logs",
    "search_build_log",
    "wait_for",
    "start",
    "stop",
];

/// A client of one version that hears of progress.
pub(crate) struct Client {
    version: ProtocolVersion,
    heard: mpsc::UnboundedSender<ProgressNotificationParam>,
}

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::default().with_protocol_version(self.version.clone())
    }

    async fn on_progress(
        &self,
        progress: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        // The test may have heard enough.
        let _ = self.heard.send(progress);
    }
}

pub(crate) type Connected = RunningService<RoleClient, Client>;
pub(crate) type Heard = mpsc::UnboundedReceiver<ProgressNotificationParam>;

pub(crate) async fn connect(daemon: &Daemon, version: ProtocolVersion) -> (Connected, Heard) {
    let lifecycle = if version.has_initialize() {
        ClientLifecycleMode::Initialize
    } else {
        ClientLifecycleMode::Discover {
            preferred_versions: vec![version.clone()],
        }
    };
    let (heard, hears) = mpsc::unbounded_channel();
    let transport = StreamableHttpClientTransport::from_uri(daemon.url());
    let client = Client { version, heard };
    let client = client.serve_with_lifecycle(transport, lifecycle).await;
    (client.unwrap(), hears)
}

pub(crate) async fn call(
    client: &Connected,
    tool: &'static str,
    arguments: Value,
) -> CallToolResult {
    let arguments = serde_json::from_value(arguments).unwrap();
    let call = CallToolRequestParams::new(tool).with_arguments(arguments);
    client.call_tool(call).await.unwrap()
}

pub(crate) fn text(result: &CallToolResult) -> String {
    let content = serde_json::to_value(&result.content).unwrap();
    content[0]["text"].as_str().unwrap().to_owned()
}

const TWO: &str = "[process.main]\ntype = \"rust\"\n\
    [process.side]\ntype = \"command\"\ncommand = [\"sh\", \"-c\", \"echo side; exec sleep 1000\"]\n";

#[tokio::test]
async fn every_tool_works_in_every_era_of_the_protocol() {
    let project = Project::new("eras");
    project.rust(&lives("hello from main")).config(TWO);
    let daemon = project.start();
    daemon.until_state("main", "running");
    for (version, runs) in [
        (ProtocolVersion::V_2025_06_18, 1),
        (ProtocolVersion::V_2025_11_25, 2),
        (ProtocolVersion::V_2026_07_28, 3),
    ] {
        let (client, _heard) = connect(&daemon, version.clone()).await;
        let info = client.peer_info().unwrap();
        assert_eq!(info.protocol_version, version);
        let instructions = info.instructions.clone().unwrap();
        assert!(instructions.contains("main, side"), "{instructions}");
        assert!(instructions.len() < 2_048);

        let tools = client.list_all_tools().await.unwrap();
        let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
        assert_eq!(names, TOOLS, "{version}");
        let schema = |name: &str| {
            let tool = tools.iter().find(|tool| tool.name == name).unwrap();
            json!(tool.output_schema)
        };
        assert_eq!(schema("search_logs"), Value::Null);

        let status = call(&client, "get_status", json!({})).await;
        assert!(text(&status).contains("main  rust"), "{}", text(&status));
        let status = status.structured_content.unwrap();
        has_shape(&status, &shape::status());
        satisfies(&status, &schema("get_status"));
        assert_eq!(status["processes"][0]["restarts"], runs - 1);

        let restart = call(&client, "restart", json!({"process": "main"})).await;
        assert_eq!(restart.is_error, Some(false), "{}", text(&restart));
        let restart = restart.structured_content.unwrap();
        has_shape(&restart, &shape::restart());
        satisfies(&restart, &schema("restart"));
        assert_eq!(restart["outcome"], "restarted");

        let lines = call(
            &client,
            "search_logs",
            json!({"process": "side", "tail": 1}),
        )
        .await;
        assert_eq!(lines.structured_content, None);
        assert!(text(&lines).ends_with("\n   side\n"), "{}", text(&lines));
        let cargo = call(&client, "search_build_log", json!({"process": "main"})).await;
        assert!(text(&cargo).contains("Finished"), "{}", text(&cargo));
        client.cancel().await.unwrap();
    }
}

#[tokio::test]
async fn answers_keep_their_shape_in_every_state_of_a_process() {
    let project = Project::new("shapes");
    project.rust("first_mistake();").config(&format!(
        "release_crash_backoff_initial_seconds = 300\n{TWO}"
    ));
    let daemon = project.start();
    let (client, _heard) = connect(&daemon, ProtocolVersion::V_2026_07_28).await;
    let tools = client.list_all_tools().await.unwrap();
    let (of_restart, of_status) = (json!(tools[0].output_schema), json!(tools[1].output_schema));
    let checked = || {
        let status = daemon.status();
        has_shape(&status, &shape::status());
        satisfies(&status, &of_status);
    };
    let restarted = async |outcome: &str| {
        let result = call(&client, "restart", json!({"process": "main"})).await;
        let report = result.structured_content.clone().unwrap();
        assert_eq!(report["outcome"], outcome, "{report}");
        assert_eq!(report["ok"], outcome == "restarted");
        assert_eq!(result.is_error, Some(outcome != "restarted"));
        has_shape(&report, &shape::restart());
        satisfies(&report, &of_restart);
        assert!(text(&result).starts_with(&format!("main: {outcome} (ok: ")));
        report
    };
    checked();
    daemon.until_state("main", "backing_off");
    checked();
    let failed = restarted("build_failed").await;
    assert_eq!(
        (&failed["run"], &failed["pid"]),
        (&Value::Null, &Value::Null)
    );
    project.main("println!(\"its last words\"); std::process::exit(3);");
    let crashed = restarted("crashed").await;
    assert_eq!(crashed["exit"]["text"], "exit code 3");
    assert_eq!(crashed["last_lines"], json!(["its last words"]));
    checked();
    project.main(&lives("up"));
    let up = restarted("restarted").await;
    checked();
    signal(pid_in(&up), Signal::SIGKILL);
    daemon.until_state("main", "backing_off");
    checked();
    let unknown = call(&client, "restart", json!({"process": "mian"})).await;
    assert_eq!(unknown.is_error, Some(true));
    assert!(
        text(&unknown).contains("did you mean `main`?"),
        "{}",
        text(&unknown)
    );
    assert!(
        text(&unknown).contains("known: main, side"),
        "{}",
        text(&unknown)
    );
    client.cancel().await.unwrap();
}

/// A project whose builds wait at a closed gate.
fn gated(name: &str) -> (Project, Gate) {
    let project = Project::new(name);
    project
        .rust(&lives("up"))
        .config("[process.main]\ntype = \"rust\"\n");
    let gate = Gate::new(&project);
    gate.close();
    (project, gate)
}

#[tokio::test]
async fn who_waits_for_a_long_build_hears_of_its_progress_in_both_eras() {
    let (project, gate) = gated("progress");
    let daemon = project.start();
    let (older, mut heard_older) = connect(&daemon, ProtocolVersion::V_2025_11_25).await;
    let (newer, mut heard_newer) = connect(&daemon, ProtocolVersion::V_2026_07_28).await;
    let opened = async {
        for heard in [&mut heard_older, &mut heard_newer] {
            let first = heard.recv().await.unwrap();
            assert_eq!(first.message.as_deref(), Some("restarting main"));
            let second = heard.recv().await.unwrap();
            let message = second.message.unwrap();
            assert!(message.starts_with("building 1"), "{message}");
            assert!(second.progress > first.progress);
        }
        gate.leave_open();
    };
    // Two at once: both are answered by what comes of the newer one.
    let (one, two, ()) = tokio::join!(
        call(&older, "restart", json!({})),
        call(&newer, "restart", json!({})),
        opened
    );
    for result in [one, two] {
        let report = result.structured_content.unwrap();
        assert_eq!(report["outcome"], "restarted", "{report}");
    }
    older.cancel().await.unwrap();
    newer.cancel().await.unwrap();
}

#[tokio::test]
async fn status_and_searches_are_answered_while_a_restart_waits() {
    let (project, gate) = gated("meanwhile");
    let daemon = project.start();
    let (client, _heard) = connect(&daemon, ProtocolVersion::V_2026_07_28).await;
    let waits = call(&client, "restart", json!({}));
    let asks = async {
        for _ in 0..20 {
            let status = call(&client, "get_status", json!({})).await;
            let main = status.structured_content.unwrap()["processes"][0].clone();
            assert_eq!(main["state"], "building");
            call(&client, "search_logs", json!({})).await;
            call(&client, "search_build_log", json!({})).await;
        }
        gate.leave_open();
    };
    let (restart, ()) = tokio::join!(waits, asks);
    assert_eq!(restart.structured_content.unwrap()["outcome"], "restarted");
    client.cancel().await.unwrap();
}

#[test]
fn an_open_restart_is_answered_when_the_daemon_ends() {
    let (project, _gate) = gated("farewell");
    let mut daemon = project.start();
    let port = daemon.port();
    let waits = std::thread::spawn(move || {
        let call = json!({"name": "restart", "arguments": {}});
        Http::new(port).rpc("tools/call", &call)
    });
    eventually("asked", || {
        let main = daemon.process("main");
        if main["restarts"] == 1 {
            Ok(())
        } else {
            Err(main)
        }
    });
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.output());
    let answer = waits.join().unwrap();
    let report = &answer["result"]["structuredContent"];
    assert_eq!(report["outcome"], "shutting_down", "{answer}");
    assert_eq!(answer["result"]["isError"], true);
}
