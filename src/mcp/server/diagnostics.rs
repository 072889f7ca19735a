//! `search_build_log`: the log, or with `diagnostics` what the compiler found.

use bpm_actors::{artifact::WhichBuild, ids::BuildId, search::LogKind};
use rmcp::model::{CallToolResult, ContentBlock};

use super::{Refused, Server};
use crate::mcp::{
    arguments::Arguments,
    text,
    tools::{LEAST_BYTES, MOST_BYTES, USUAL_BYTES},
};

/// What `search_build_log` takes beside these for lines.
const OF_LINES: [&str; 14] = [
    "pattern",
    "context_lines",
    "head",
    "tail",
    "stream",
    "level",
    "ignore_case",
    "invert",
    "since",
    "until",
    "after_cursor",
    "processes",
    "collapse",
    "detail",
];

impl Server {
    /// Answers `search_build_log`.
    pub(super) async fn build_log(
        &self,
        mut arguments: Arguments,
    ) -> Result<CallToolResult, Refused> {
        if arguments.flag("diagnostics") == Some(true) {
            self.diagnostics(arguments).await
        } else {
            self.search(LogKind::Builds, arguments).await
        }
    }

    async fn diagnostics(&self, mut arguments: Arguments) -> Result<CallToolResult, Refused> {
        let process = arguments.text("process");
        let index = arguments.integer("index", "-1");
        let build = arguments.count("build");
        let most = arguments.within("max_bytes", LEAST_BYTES..=MOST_BYTES);
        for name in OF_LINES {
            if arguments.drop(name) {
                arguments.refuse(format!(
                    "`{name}` is about lines of the log and cannot stand beside diagnostics: true; \
                     leave one of them out"
                ));
            }
        }
        if index.is_some() && build.is_some() {
            arguments.refuse("`index` and `build` both say which build; leave one of them out");
        }
        arguments.finish()?;

        let which = match build {
            Some(build) => WhichBuild::Id(BuildId(build as u64)),
            None => WhichBuild::Index(index.unwrap_or(-1)),
        };
        let answer = self.service.diagnosis(process.as_deref(), which).await?;
        let most = most.unwrap_or(USUAL_BYTES);
        let text = text::diagnostics(self.service.project(), &answer, most);
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]))
    }
}
