//! Leases over the queue in memory, in paused time: kept, acknowledged after the last object, given back.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keytrail::source::lease::{Counts, Delivery, Held, Leases, Settings, Trouble};
use keytrail::source::memory_queue::{Fault, MemoryQueue};
use keytrail::source::queue::{Depth, LONGEST_INVISIBLE, Operation, Queue, Reason};
use tokio::time::{advance, sleep};

use crate::support::Lcg;

const VISIBILITY: Duration = Duration::from_secs(30);
const NO_TIME: Duration = Duration::ZERO;

/// A queue, the leases of one worker, and what went wrong there.
struct Scene {
    queue: Arc<MemoryQueue>,
    leases: Leases,
    troubles: Arc<Mutex<Vec<Trouble>>>,
}

impl Scene {
    async fn new(queue: MemoryQueue, messages: usize) -> Self {
        Self::with_room(queue, messages, 100).await
    }

    async fn with_room(queue: MemoryQueue, messages: usize, most: usize) -> Self {
        let (queue, troubles) = (Arc::new(queue), Arc::<Mutex<Vec<Trouble>>>::default());
        let sent = queue.send((0..messages).map(|n| n.to_string()).collect()).await;
        assert!(sent.iter().all(Result::is_ok));
        let told = Arc::clone(&troubles);
        let watch = Box::new(move |trouble: &Trouble| told.lock().expect("no panic").push(trouble.clone()));
        let leases = Leases::start(Arc::clone(&queue) as _, Settings { visibility: VISIBILITY, most }, watch);
        Self { queue, leases, troubles }
    }

    async fn receive(&self) -> Vec<Delivery> {
        self.leases.receive(NO_TIME).await.expect("messages")
    }

    async fn one(&self) -> Delivery {
        self.receive().await.pop().expect("a message")
    }

    /// Lets time pass in small steps, so that the keeper does in between what it has to.
    async fn pass(&self, time: Duration) {
        for _ in 0..time.as_secs() {
            sleep(Duration::from_secs(1)).await;
        }
    }

    async fn depth(&self) -> (u64, u64) {
        let Depth { visible, in_flight, .. } = self.queue.depth().await.expect("a depth");
        (visible, in_flight)
    }

    fn troubles(&self) -> Vec<Trouble> {
        self.troubles.lock().expect("no panic").clone()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_held_stays_invisible() {
    let scene = Scene::new(MemoryQueue::new(), 25).await;
    let mut held = Vec::new();
    for count in [10, 10, 5] {
        let some = scene.receive().await;
        assert_eq!(some.len(), count);
        held.extend(some);
    }
    scene.pass(VISIBILITY * 20).await;
    assert_eq!(scene.depth().await, (0, 25));
    assert_eq!(scene.leases.held(), 25);
    // Once in half of the timeout, all of them by one call.
    assert!(scene.queue.calls(Operation::Extend) <= 45, "{}", scene.queue.calls(Operation::Extend));
    held.into_iter().for_each(|delivery| delivery.held.done());
    scene.leases.flush().await;
    assert_eq!(scene.depth().await, (0, 0));
    assert_eq!((scene.leases.held(), scene.troubles()), (0, vec![]));
    assert!(scene.queue.calls(Operation::Acknowledge) <= 2);
}

#[tokio::test(start_paused = true)]
async fn a_message_is_acknowledged_after_its_last_object() {
    let scene = Scene::new(MemoryQueue::new(), 1).await;
    let mut objects = scene.one().await.held.split(3);
    for _ in 0..2 {
        objects.pop().expect("an object").done();
        scene.leases.flush().await;
        scene.pass(VISIBILITY * 2).await;
        assert_eq!(scene.depth().await, (0, 1), "acknowledged too early, or lost");
    }
    objects.pop().expect("an object").done();
    scene.leases.flush().await;
    assert_eq!(scene.depth().await, (0, 0));
    assert_eq!(scene.queue.calls(Operation::Acknowledge), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_names_nothing_is_done() {
    let scene = Scene::new(MemoryQueue::new(), 1).await;
    assert!(scene.one().await.held.split(0).is_empty());
    scene.leases.flush().await;
    assert_eq!(scene.depth().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_or_fails_comes_again_whatever_its_siblings_do() {
    let scene = Scene::new(MemoryQueue::new(), 2).await;
    let mut deliveries = scene.receive().await;
    let (slow, dropped) = (deliveries.pop().expect("one"), deliveries.pop().expect("another"));
    drop(dropped);
    let mut objects = slow.held.split(3);
    objects.pop().expect("an object").done();
    objects.pop().expect("an object").give_back(Duration::from_secs(7));
    sleep(Duration::from_millis(1)).await;
    // The last object of the other message is still worked on.
    assert_eq!(scene.depth().await, (1, 1));
    objects.pop().expect("an object").done();
    scene.pass(Duration::from_secs(6)).await;
    assert_eq!(scene.depth().await, (1, 1));
    scene.pass(Duration::from_secs(2)).await;
    assert_eq!(scene.depth().await, (2, 0));
    assert_eq!((scene.leases.counts().given_back, scene.leases.held()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn the_end_acknowledges_what_is_done_and_gives_back_the_rest() {
    let scene = Scene::new(MemoryQueue::new(), 10).await;
    let mut deliveries = scene.receive().await;
    let open = deliveries.split_off(4);
    deliveries.into_iter().for_each(|delivery| delivery.held.done());
    let counts = scene.leases.close().await;
    assert_eq!(scene.depth().await, (6, 0));
    assert_eq!(counts, Counts { received: 10, acknowledged: 4, given_back: 6, ..Counts::default() });
    // Too late, and harmless.
    open.into_iter().for_each(|delivery| delivery.held.done());
    assert_eq!(scene.leases.close().await, counts);
    assert_eq!(scene.depth().await, (6, 0));
}

#[tokio::test(start_paused = true)]
async fn extensions_that_fail_are_tried_again_in_time() {
    let faults = |operation, call| match (operation, call) {
        (Operation::Extend, 1) => Some(Fault::Refuse(Reason::Unavailable)),
        (Operation::Extend, 2) => Some(Fault::LoseAnswer),
        // Hangs for longer than the lease.
        (Operation::Extend, 3) => Some(Fault::Stall(VISIBILITY * 3)),
        (Operation::Extend, 4) => Some(Fault::RefuseFirst(Reason::Throttled)),
        _ => None,
    };
    let scene = Scene::new(MemoryQueue::new().with_faults(faults), 2).await;
    let held = scene.receive().await;
    scene.pass(VISIBILITY * 5).await;
    assert_eq!(scene.depth().await, (0, 2));
    assert_eq!(scene.troubles().len(), 4, "{:?}", scene.troubles());
    assert_eq!(scene.leases.counts().lost, 0);
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_lost_is_told_once_and_its_late_acknowledgement_harms_nobody() {
    let faults = |operation, _| (operation == Operation::Extend).then_some(Fault::Refuse(Reason::Unavailable));
    let scene = Scene::new(MemoryQueue::new().with_faults(faults), 1).await;
    let first = scene.one().await;
    scene.pass(VISIBILITY * 3).await;
    let second = scene.one().await;
    assert_eq!((&first.id, first.received, second.received), (&second.id, 1, 2));
    first.held.done();
    scene.leases.flush().await;
    // Refused: the second delivery is still ours, and its acknowledgement counts.
    assert_eq!(scene.depth().await, (0, 1));
    second.held.done();
    scene.leases.flush().await;
    assert_eq!(scene.depth().await, (0, 0));
    let lost = scene.troubles().into_iter().filter(|trouble| matches!(trouble, Trouble::Lost { .. })).count();
    let counts = scene.leases.counts();
    assert_eq!((lost, counts.lost, counts.acknowledged, counts.not_acknowledged), (1, 1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn after_twelve_hours_a_message_is_let_go() {
    let scene = Scene::new(MemoryQueue::new(), 1).await;
    let held = scene.one().await;
    for _ in 0..LONGEST_INVISIBLE.as_secs() / 10 - 2 {
        sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(scene.depth().await, (0, 1));
    scene.pass(Duration::from_mins(1)).await;
    assert_eq!(scene.depth().await, (1, 0));
    assert_eq!(scene.troubles(), [Trouble::Lost { id: held.id.clone(), reason: None }]);
    let extensions = scene.queue.calls(Operation::Extend);
    scene.pass(VISIBILITY * 4).await;
    assert_eq!(scene.queue.calls(Operation::Extend), extensions, "it goes on extending");
}

#[tokio::test(start_paused = true)]
async fn deleting_is_tried_again_and_given_up_in_the_end() {
    let faults = |operation, call| match (operation, call) {
        (Operation::Acknowledge, 1) => Some(Fault::RefuseFirst(Reason::Throttled)),
        (Operation::Acknowledge, 2) => Some(Fault::LoseAnswer),
        (Operation::Acknowledge, 4..=8) => Some(Fault::Refuse(Reason::Unavailable)),
        (Operation::Acknowledge, 9) => Some(Fault::Refuse(Reason::Denied)),
        _ => None,
    };
    let scene = Scene::new(MemoryQueue::new().with_faults(faults), 4).await;
    let mut deliveries = scene.receive().await;
    let (given_up, denied) = (deliveries.pop().expect("one"), deliveries.pop().expect("another"));
    deliveries.into_iter().for_each(|delivery| delivery.held.done());
    scene.leases.flush().await;
    assert_eq!((scene.depth().await, scene.queue.calls(Operation::Acknowledge)), ((0, 2), 3));
    given_up.held.done();
    scene.leases.flush().await;
    assert_eq!(scene.queue.calls(Operation::Acknowledge), 8);
    denied.held.done();
    scene.leases.flush().await;
    let counts = scene.leases.counts();
    assert_eq!((counts.acknowledged, counts.not_acknowledged, scene.leases.held()), (2, 2, 0));
    scene.pass(VISIBILITY * 2).await;
    assert_eq!(scene.depth().await, (2, 0), "they come again");
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_hangs_costs_no_other_lease() {
    let faults =
        |operation, call| (operation == Operation::Acknowledge && call == 1).then_some(Fault::Stall(VISIBILITY * 6));
    let scene = Scene::new(MemoryQueue::new().with_faults(faults), 2).await;
    let mut deliveries = scene.receive().await;
    deliveries.pop().expect("a message").held.done();
    scene.pass(VISIBILITY * 4).await;
    // The one being deleted has run out, the other is held.
    assert_eq!(scene.depth().await, (1, 1));
    scene.leases.flush().await;
    assert_eq!(scene.depth().await, (0, 1));
}

#[tokio::test(start_paused = true)]
async fn no_more_is_held_than_there_is_room_for() {
    let scene = Scene::with_room(MemoryQueue::new(), 30, 12).await;
    let (mut first, second) = (scene.receive().await, scene.receive().await);
    assert_eq!((first.len(), second.len(), scene.leases.held()), (10, 2, 12));
    let waiting = tokio::spawn({
        let leases = scene.leases.clone();
        async move { leases.receive(NO_TIME).await.map(|messages| messages.len()) }
    });
    scene.pass(VISIBILITY * 2).await;
    assert!(!waiting.is_finished());
    // A share that is done makes no room; the message does once it is deleted.
    let mut shares = first.pop().expect("a message").held.split(2);
    shares.pop().expect("a share").done();
    scene.pass(VISIBILITY).await;
    assert!(!waiting.is_finished());
    shares.pop().expect("a share").done();
    assert_eq!(waiting.await.expect("no panic"), Ok(1));
    drop((first, second));
}

#[tokio::test(start_paused = true)]
async fn a_panic_gives_the_message_back() {
    let scene = Scene::new(MemoryQueue::new(), 1).await;
    let delivery = scene.one().await;
    let worker = tokio::spawn(async move {
        let _held = delivery.held.split(2);
        panic!("on purpose");
    });
    assert!(worker.await.is_err());
    advance(Duration::from_millis(1)).await;
    sleep(Duration::from_millis(1)).await;
    assert_eq!(scene.depth().await, (1, 0));
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_all_is_done_before_it_is_deleted_and_nothing_is_left() {
    // A third of all calls go wrong, each kind in its own rhythm.
    let faults = |operation, call: u64| match (operation, call.wrapping_mul(2_654_435_761) / 7 % 15) {
        (Operation::Send | Operation::Depth, _) => None,
        (_, 0) => Some(Fault::Refuse(Reason::Unavailable)),
        (_, 1) => Some(Fault::LoseAnswer),
        (_, 2) => Some(Fault::Stall(VISIBILITY * 2)),
        (Operation::Receive, 3) => Some(Fault::Twice),
        (_, 4) => Some(Fault::RefuseFirst(Reason::StaleReceipt)),
        _ => None,
    };
    let scene = Scene::new(MemoryQueue::new().with_faults(faults), 300).await;
    let mut chance = Lcg(11);
    let mut finished = BTreeSet::new();
    let mut rounds = 0;
    while scene.queue.depth().await.is_ok_and(|depth| depth != Depth::default()) {
        rounds += 1;
        assert!(rounds < 2_000, "it does not end: {:?}", scene.leases.counts());
        let Ok(deliveries) = scene.leases.receive(Duration::from_secs(1)).await else { continue };
        for Delivery { id, held, .. } in deliveries {
            sleep(Duration::from_secs(chance.below(20))).await;
            let mut objects = held.split(usize::try_from(chance.below(4)).expect("small"));
            match (chance.below(8), objects.pop()) {
                (0, Some(failed)) => failed.give_back(Duration::from_secs(chance.below(60))),
                (1, Some(dropped)) => drop(dropped),
                (_, last) => {
                    last.into_iter().for_each(Held::done);
                    finished.insert(id);
                }
            }
            objects.into_iter().for_each(Held::done);
        }
        scene.leases.flush().await;
    }
    assert_eq!(finished.len(), 300, "deleted before it was done");
    let counts = scene.leases.close().await;
    assert!(counts.lost > 0 && counts.given_back > 0 && counts.not_acknowledged > 0, "no trouble: {counts:?}");
    assert_eq!(scene.leases.held(), 0);
}
