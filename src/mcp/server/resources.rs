//! Reads resources. That never counts as activity.

use bpm_actors::{ids::ProcessName, search::LogKind, spec::ProcessType};
use rmcp::{
    ErrorData,
    model::{CallToolResult, JsonObject, ReadResourceResult, ResourceContents},
};
use serde_json::json;

use super::Server;
use crate::mcp::{
    arguments::Arguments,
    resources::{Place, not_found},
};

impl Server {
    /// What is at this address now.
    pub(super) async fn resource(&self, uri: &str) -> Result<ReadResourceResult, ErrorData> {
        let processes = self.service.processes();
        let processes = borrowed(&processes);
        let place = Place::of(uri, &processes).ok_or_else(|| not_found(uri, &processes))?;
        let text = match place {
            Place::Status => {
                let answer = self.status.now().await;
                let status = answer.result.structured_content.as_ref();
                status.map(ToString::to_string)
            }
            Place::Log(kind, process) => self.latest(kind, process).await?,
        };
        let text = text.unwrap_or_default();
        let contents = ResourceContents::text(text, uri).with_mime_type(place.mime_type());
        Ok(ReadResourceResult::new(vec![contents]))
    }

    /// The same as the tool answers that is asked for nothing but the process.
    async fn latest(&self, kind: LogKind, process: &str) -> Result<Option<String>, ErrorData> {
        let mut arguments = JsonObject::new();
        arguments.insert("process".to_owned(), json!(process));
        let answer = self.search(kind, Arguments::new(Some(arguments))).await;
        let answer =
            answer.map_err(|refused| ErrorData::internal_error(refused.to_string(), None))?;
        Ok(text(answer))
    }
}

/// The processes as addresses know them.
pub(super) fn borrowed(processes: &[(ProcessName, ProcessType)]) -> Vec<(&str, ProcessType)> {
    let processes = processes.iter();
    processes
        .map(|(name, kind)| (name.as_str(), *kind))
        .collect()
}

fn text(answer: CallToolResult) -> Option<String> {
    let text = answer.content.into_iter().next()?;
    text.as_text().map(|text| text.text.clone())
}
