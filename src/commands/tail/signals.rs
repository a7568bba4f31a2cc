//! Signals: the end, and the configuration anew.

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::commands::network::Network;

/// Waits for SIGTERM or SIGINT, tells of it, and has everything end.
pub(super) async fn end(stop: watch::Sender<bool>, tell: impl FnOnce(&'static str)) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let cause = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    tell(cause);
    stop.send_replace(true);
    Ok(())
}

/// Does something at each SIGHUP, until everything ends.
pub(super) fn on_hangup(network: &Network, mut stopped: watch::Receiver<bool>, mut act: impl FnMut()) {
    network.handle().block_on(async {
        let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
        loop {
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                Some(()) = hangup.recv() => act(),
            }
        }
    });
}
