//! The binary as it is run, with one worker and with two, against inflating the same files alone; and two
//! runs of it side by side, each with half of the files and an output of its own: more than that, two
//! workers cannot give.
//!
//! `KEYTRAIL_BENCH_TRAIL=FOLDER cargo bench --bench whole`; without the variable over a trail that
//! `benches/generate_trail.py` makes. `KEYTRAIL_BENCH_ROUNDS` is the number of rounds, 5 if not given.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench stops on what it does not expect, and prints"
)]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use keytrail::decode::gunzip::{Buffer, Gunzip};
use keytrail::source::local;

#[expect(dead_code, reason = "the other bench's report")]
mod support;

const CAP: usize = 1 << 30;

/// What one run took.
#[derive(Clone, Copy)]
struct Run {
    cpu: f64,
    wall: f64,
    /// Peak resident size in MiB, of all children; 0 for work in this process.
    peak: f64,
}

fn main() {
    let trail = support::trail();
    let asked = std::env::var_os("KEYTRAIL_BENCH_ROUNDS").and_then(|rounds| rounds.to_str()?.parse().ok());
    let rounds: usize = asked.unwrap_or(5).max(1);
    let files: Vec<String> = local::list(std::slice::from_ref(&trail), None)
        .expect("the trail is listed")
        .objects
        .into_iter()
        .map(|o| o.key)
        .collect();
    // The first reading fills the page cache, and tells how much there is.
    let json_bytes = inflate_here(&files);
    let outside = on_path("libdeflate-gunzip");
    let inflating = if outside { "inflate (libdeflate-gunzip)" } else { "inflate (in this process)" };
    let halves = [0, 1].map(|half| files.iter().skip(half).step_by(2).map(PathBuf::from).collect::<Vec<_>>());
    let trail = [trail];
    let mut runs: [Vec<Run>; 4] = Default::default();
    for round in 0..rounds {
        // In turns, and each first in some rounds: what disturbs the machine disturbs all.
        for turn in 0..4 {
            let which = (round + turn) % 4;
            runs[which].push(match which {
                0 if outside => children([Command::new("libdeflate-gunzip").arg("-c").args(&files)]),
                0 => measured(|| _ = inflate_here(&files)),
                3 => backfills(halves.each_ref().map(|half| (half.as_slice(), 1))),
                threads => backfills([(trail.as_slice(), threads)]),
            });
        }
    }
    let [inflate, one, two, halves] = runs.map(|runs| median(&runs));
    println!("{} files, {:.0} MiB of JSON, medians of {rounds} rounds", files.len(), json_bytes as f64 / 1_048_576.0);
    println!("{:<31} {:>8} {:>8} {:>9} {:>9}", "", "CPU s", "wall s", "peak MiB", "MB JSON/s");
    for (name, run) in [
        (inflating, inflate),
        ("backfill --threads 1", one),
        ("backfill --threads 2", two),
        ("two backfills, half of it each", halves),
    ] {
        let speed = json_bytes as f64 / 1e6 / run.wall;
        println!("{name:<31} {:>8.2} {:>8.2} {:>9.0} {speed:>9.0}", run.cpu, run.wall, run.peak);
    }
    println!("CPU, one worker : inflating     {:.2}", one.cpu / inflate.cpu);
    println!("wall, one worker : two          {:.2}", one.wall / two.wall);
    println!(
        "wall, one worker : two halves   {:.2}, what the machine gives to what shares nothing",
        one.wall / halves.wall
    );
}

/// Backfills side by side, of some sources with so many workers each, into new folders that are gone
/// afterwards.
fn backfills<const N: usize>(each: [(&[PathBuf], usize); N]) -> Run {
    let outputs = each.map(|_| tempfile::tempdir().expect("a temporary folder"));
    let mut commands = outputs.each_ref().map(|output| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keytrail"));
        command.arg("backfill").arg("--output").arg(output.path());
        command
    });
    for (command, (sources, threads)) in commands.iter_mut().zip(each) {
        command.args(["--threads", &threads.to_string()]).args(sources);
    }
    children(commands.each_mut())
}

/// Runs children side by side to their ends.
fn children<const N: usize>(commands: [&mut Command; N]) -> Run {
    let (mut peaks, mut ended) = ([0.0_f64; N], [false; N]);
    let before = children_cpu_seconds();
    let started = Instant::now();
    let mut children = commands.map(|command| command.stdout(Stdio::null()).spawn().expect("it starts"));
    while !ended.iter().all(|ended| *ended) {
        thread::sleep(Duration::from_millis(5));
        for ((child, peak), ended) in children.iter_mut().zip(&mut peaks).zip(&mut ended).filter(|(_, ended)| !**ended)
        {
            // Until it is waited for, its entry in /proc stays; its memory's does not.
            *peak = peak.max(peak_mib(child.id()));
            let status = child.try_wait().expect("it can be waited for");
            assert!(status.is_none_or(|status| status.success()), "a child ended with {status:?}");
            *ended = status.is_some();
        }
    }
    let wall = started.elapsed().as_secs_f64();
    Run { cpu: children_cpu_seconds() - before, wall, peak: peaks.iter().sum() }
}

fn measured(work: impl FnOnce()) -> Run {
    let (before, started) = (support::cpu_seconds(), Instant::now());
    work();
    Run { cpu: support::cpu_seconds() - before, wall: started.elapsed().as_secs_f64(), peak: 0.0 }
}

/// Inflates all files, each into the same buffer; returns the bytes that came out.
fn inflate_here(files: &[String]) -> usize {
    let mut gunzip = Gunzip::new(CAP).expect("memory");
    let mut buffer = Buffer::default();
    files
        .iter()
        .map(|file| {
            let stored = std::fs::read(file).expect("a file of the trail");
            gunzip.read(&stored, &mut buffer).expect("the trail is sound");
            buffer.json().len()
        })
        .sum()
}

/// CPU seconds of all children that have ended, user and system.
fn children_cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks: f64 = fields[13].parse::<f64>().expect("user ticks") + fields[14].parse::<f64>().expect("system ticks");
    ticks / 100.0
}

/// `VmHWM` of a process; 0 when it has ended. It only grows: the last look counts.
fn peak_mib(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).map_or(0.0, |kib| kib / 1024.0)
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// Median of each figure by itself.
fn median(runs: &[Run]) -> Run {
    let middle = |figure: fn(&Run) -> f64| {
        let mut sorted: Vec<f64> = runs.iter().map(figure).collect();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    Run { cpu: middle(|run| run.cpu), wall: middle(|run| run.wall), peak: middle(|run| run.peak) }
}
