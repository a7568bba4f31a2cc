//! Signals: SIGTERM and SIGINT ask for the end, SIGHUP for the configuration anew.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Whether the end was asked for. Clones are the same.
#[derive(Clone)]
pub(super) struct Stop {
    told: Arc<watch::Sender<bool>>,
    runtime: Handle,
}

impl Stop {
    /// Listens from now on; `tell` is called with the name of the signal that asks for the end.
    pub(super) fn listen(runtime: &Handle, tell: impl FnOnce(&'static str) + Send + 'static) -> Result<Self> {
        let stop = Self { told: Arc::new(watch::channel(false).0), runtime: runtime.clone() };
        let _context = runtime.enter();
        let (mut terminate, mut interrupt) = (on(SignalKind::terminate())?, on(SignalKind::interrupt())?);
        let told = Arc::clone(&stop.told);
        runtime.spawn(async move {
            let cause = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            tell(cause);
            told.send_replace(true);
        });
        Ok(stop)
    }

    /// Asks for the end without a signal.
    pub(super) fn ask(&self) {
        self.told.send_replace(true);
    }

    pub(super) fn is_asked(&self) -> bool {
        *self.told.borrow()
    }

    pub(super) fn receiver(&self) -> watch::Receiver<bool> {
        self.told.subscribe()
    }

    /// Waits; tells whether the end was asked for meanwhile.
    pub(super) fn within(&self, time: Duration) -> bool {
        let mut receiver = self.receiver();
        self.runtime.block_on(async move { tokio::time::timeout(time, receiver.wait_for(|stop| *stop)).await.is_ok() })
    }

    /// Does something at each SIGHUP, which else would end the process.
    pub(super) fn at_hangup(&self, act: impl Fn() + Send + 'static) -> Result<()> {
        let _context = self.runtime.enter();
        let mut hangup = on(SignalKind::hangup())?;
        self.runtime.spawn(async move {
            while hangup.recv().await.is_some() {
                act();
            }
        });
        Ok(())
    }

    /// Ends the process if it is still there when `time` is over after the end was asked for, and `last` is
    /// done. Whatever it was doing is safe to be killed in.
    pub(super) fn no_later_than<F>(&self, time: Duration, last: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut receiver = self.receiver();
        self.runtime.spawn(async move {
            let asked = receiver.wait_for(|stop| *stop).await.is_ok();
            if asked {
                tokio::time::sleep(time).await;
                last.await;
                #[expect(clippy::disallowed_methods, reason = "what holds it up may never return")]
                std::process::exit(1);
            }
        });
    }
}

fn on(kind: SignalKind) -> Result<Signal> {
    signal(kind).context("cannot wait for signals")
}
