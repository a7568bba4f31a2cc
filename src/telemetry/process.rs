//! What the process uses, as Linux tells it; elsewhere nothing is told.

/// Resident memory in bytes.
#[must_use]
pub fn resident_bytes() -> Option<f64> {
    kilobytes(&std::fs::read_to_string("/proc/self/status").ok()?).map(|kilobytes| kilobytes * 1_024.0)
}

/// Open file handles.
#[must_use]
pub fn open_files() -> Option<f64> {
    // The handle that lists the others is one too many.
    let handles = std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    Some(f64::from(u32::try_from(handles).unwrap_or(u32::MAX)))
}

/// `VmRSS` in `/proc/self/status`.
fn kilobytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_from_the_status() {
        assert_eq!(kilobytes("VmHWM:\t  900 kB\nVmRSS:\t  1536 kB\n"), Some(1_536.0));
        assert_eq!(kilobytes("VmHWM:\t  900 kB\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 1e6));
        assert!(open_files().is_some_and(|handles| handles > 2.0));
    }
}
