//! What is kept of what the processes print: `[logs]`.

use bpm_actors::spec::LogSettings;

use super::{
    entry::{Entry, entries},
    keys,
    problem::Report,
    value,
};

const MEBIBYTE: u64 = 1 << 20;
/// The most that may be kept of one process: a tebibyte.
const MOST_KEPT: u64 = 1 << 40;
/// The most memory: 16 GiB.
const MOST_MEMORY: u64 = 16 << 30;
/// The longest time: ten years.
const MOST_DAYS: u32 = 3650;

/// Reads the table, or what it is without one.
pub(super) fn read(field: Option<&Entry<'_>>, report: &mut Report<'_>) -> LogSettings {
    let mut settings = LogSettings::default();
    let Some(field) = field else {
        return settings;
    };
    let Some(table) = field.value.as_table() else {
        report.reject(field, "must be a table: write [logs] with its keys below");
        return settings;
    };
    for key in entries(&field.path, table) {
        match key.name {
            "keep_bytes" => {
                let bytes = value::bytes(&key, MEBIBYTE..=MOST_KEPT, report);
                settings.keep_bytes = bytes.unwrap_or(settings.keep_bytes);
            }
            "keep_days" => {
                let days = value::whole(&key, 1..=MOST_DAYS, "days", report);
                settings.keep_days = days.unwrap_or(settings.keep_days);
            }
            "memory_bytes" => {
                let bytes = value::bytes(&key, MEBIBYTE..=MOST_MEMORY, report);
                settings.memory_bytes = bytes.unwrap_or(settings.memory_bytes);
            }
            "disk" => settings.disk = value::flag(&key, report).unwrap_or(settings.disk),
            name => report.reject(&key, keys::not_in_logs(name)),
        }
    }
    settings
}
