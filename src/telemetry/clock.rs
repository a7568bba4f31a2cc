//! The one clock of the library: what time it is, for logs and for lag. No row and no verdict depends on it.

use std::time::{Duration, SystemTime};

use crate::model::time::Seconds;

/// Time since 1970; zero where the machine's clock stands before that.
#[must_use]
pub fn since_1970() -> Duration {
    #[expect(clippy::disallowed_methods, reason = "logs and lag are about when a run happens; results are not")]
    let now = SystemTime::now();
    now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// The same in whole seconds.
#[must_use]
pub fn seconds() -> Seconds {
    Seconds(i64::try_from(since_1970().as_secs()).unwrap_or(i64::MAX))
}

/// A time since 1970 as RFC 3339 with milliseconds, UTC.
#[must_use]
pub fn rfc3339(since_1970: Duration) -> String {
    let whole = Seconds(i64::try_from(since_1970.as_secs()).unwrap_or_default()).rfc3339();
    format!("{}.{:03}Z", whole.trim_end_matches('Z'), since_1970.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds() {
        assert_eq!(rfc3339(Duration::from_millis(1_767_225_600_007)), "2026-01-01T00:00:00.007Z");
    }
}
