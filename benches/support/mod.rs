//! What benches share: the trail, the clock, the report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The trail to measure on: the one that `KEYTRAIL_BENCH_TRAIL` names, else a generated one.
pub fn trail() -> PathBuf {
    if let Some(given) = std::env::var_os("KEYTRAIL_BENCH_TRAIL") {
        return given.into();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let trail = root.join("target/bench-trail");
    let made = Command::new("python3").arg(root.join("benches/generate_trail.py")).arg(&trail).status();
    assert!(made.is_ok_and(|status| status.success()), "python3 benches/generate_trail.py failed");
    trail
}

/// CPU seconds of this process, all threads, user and system.
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().expect("user ticks") + fields[12].parse::<f64>().expect("system ticks");
    ticks / 100.0
}

/// Medians, throughput, and multiples of the first stage.
pub fn report(seconds: &BTreeMap<&str, Vec<f64>>, json_bytes: usize) {
    let median = |samples: &[f64]| {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    let base = seconds.values().next().map_or(1.0, |first| median(first));
    println!("{:<45} {:>8} {:>10} {:>10}", "stage", "CPU s", "MB JSON/s", "x inflate");
    for (stage, samples) in seconds {
        let seconds = median(samples);
        println!("{stage:<45} {seconds:>8.2} {:>10.0} {:>10.2}", json_bytes as f64 / 1e6 / seconds, seconds / base);
    }
}
