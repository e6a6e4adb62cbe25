// SPDX-License-Identifier: GPL-2.0

//! Tests of the router.

use super::*;
use crate::{
    fifo::engines::Engine,
    gsp::fw::r570_144::event, //
};
use kernel::{
    faux,
    sync::atomic::Atomic,
    time::{
        delay::fsleep,
        Delta, //
    },
    workqueue, //
};
use kernel_ext::completion::Completion;

/// Counts what it gets.
struct Counter {
    takes: bool,
    seen: Atomic<u32>,
}

impl Counter {
    fn new(takes: bool) -> Result<Arc<Self>> {
        let seen = Atomic::new(0);
        Ok(Arc::new(Self { takes, seen }, GFP_KERNEL)?)
    }

    fn seen(&self) -> u32 {
        self.seen.load(Relaxed)
    }
}

impl Sink for Counter {
    fn event(&self, _event: &Event<'_>) -> bool {
        self.seen.add(1, Relaxed);
        self.takes
    }
}

fn route(router: &Router, function: u32, words: &[u32]) -> Result {
    route_for(c"nova_core_vgpu_events", router, function, words)
}

/// Routes for a device called `name`; there can be one of that name at a time.
fn route_for(name: &CStr, router: &Router, function: u32, words: &[u32]) -> Result {
    let device = faux::Registration::new(name, None)?;
    let device: &device::Device<device::Bound> = device.as_ref().as_ref();
    let mut payload = KVec::new();

    for word in words {
        payload.extend_from_slice(&word.to_le_bytes(), GFP_KERNEL)?;
    }
    router.route(device, function, &payload);
    Ok(())
}

/// An RC_TRIGGERED event.
fn rc(router: &Router, engine: u32, chid: u32, gfid: u32) -> Result {
    let words = [engine, chid, gfid, 0, 13, 0, 0, 0, 0, 0, 0, 0];
    route(router, event::RC_TRIGGERED, &words)
}

/// Counters of an event: seen, unclaimed, malformed.
fn counts(router: &Router, name: &str) -> (u64, u64, u64) {
    router
        .counts()
        .events()
        .find(|(n, _)| *n == name)
        .map_or((0, 0, 0), |(_, c)| (c.seen, c.unclaimed, c.malformed))
}

#[kunit_tests(nova_core_vgpu_events)]
mod cases {
    use super::*;

    #[test]
    fn filters_choose() -> Result {
        let router = Router::new()?;
        let all = Counter::new(false)?;
        let vf = Counter::new(true)?;
        let channel = Counter::new(true)?;
        let mine = Filter::Channel { engine: 9, chid: 5 };
        let _all = router.subscribe(Filter::Kind(event::RC_TRIGGERED), all.clone())?;
        let _vf = router.subscribe(Filter::Gfid(3), vf.clone())?;
        let _channel = router.subscribe(mine, channel.clone())?;

        rc(&router, 9, 5, 0)?;
        rc(&router, 9, 5, 3)?;
        rc(&router, 9, 6, 0)?;
        rc(&router, 10, 5, 0)?;
        route(&router, event::VGPU_GSP_PLUGIN_TRIGGERED, &[3, 2])?;
        assert_eq!((all.seen(), vf.seen(), channel.seen()), (4, 2, 1));
        assert_eq!(counts(&router, "RC_TRIGGERED"), (4, 2, 0));
        assert_eq!(counts(&router, "VGPU_GSP_PLUGIN_TRIGGERED"), (1, 0, 0));
        Ok(())
    }

    #[test]
    fn any_engine_of_the_runlist_finds_the_channel() -> Result {
        let router = Router::new()?;
        let mut engines = Engines::new();
        for (rm_type, runlist) in [(1, 0), (9, 0), (11, 4)] {
            assert!(engines.add(&Engine {
                rm_type,
                runlist,
                host_driven: true,
            }));
        }
        router.set_engines(&engines);
        let channel = Counter::new(true)?;
        let _held = router.subscribe(Filter::Channel { engine: 9, chid: 5 }, channel.clone())?;

        rc(&router, 1, 5, 0)?;
        rc(&router, 9, 5, 0)?;
        rc(&router, 11, 5, 0)?;
        assert_eq!(channel.seen(), 2);
        Ok(())
    }

    #[test]
    fn subscriptions_end_with_their_owner() -> Result {
        let router = Router::new()?;
        let first = Counter::new(true)?;
        let second = Counter::new(true)?;
        let filter = Filter::Kind(event::VGPU_CONFIG);
        let a = router.subscribe(filter, first.clone())?;
        let _b = router.subscribe(filter, second.clone())?;

        route(&router, event::VGPU_CONFIG, &[1])?;
        drop(a);
        route(&router, event::VGPU_CONFIG, &[1])?;
        assert_eq!((first.seen(), second.seen()), (1, 2));
        // The router keeps nothing of it.
        assert!(Arc::into_unique_or_drop(first).is_some());
        Ok(())
    }

    #[test]
    fn nothing_is_dropped_in_silence() -> Result {
        let router = Router::new()?;

        route(&router, 0x1fff, &[1, 2])?;
        route(&router, 0x1fff, &[])?;
        route(&router, 0x2000, &[])?;
        route(&router, event::RC_TRIGGERED, &[9])?;
        assert_eq!(counts(&router, "unknown"), (3, 3, 0));
        assert_eq!(counts(&router, "RC_TRIGGERED"), (1, 0, 1));
        let mut unknown = router.counts().unknown();
        assert_eq!(unknown.next(), Some((0x1fff, 2)));
        assert_eq!(unknown.next(), Some((0x2000, 1)));
        assert_eq!(unknown.next(), None);
        Ok(())
    }

    #[test]
    fn storm_of_host_channels_is_told_once() -> Result {
        let router = Router::new()?;
        let storm = Counter::new(true)?;
        let _held = router.subscribe(Filter::RcStorm, storm.clone())?;

        for _ in 0..2 * watch::STORM_HITS {
            rc(&router, 9, 5, 3)?;
        }
        assert_eq!(storm.seen(), 0);
        for _ in 0..2 * watch::STORM_HITS {
            rc(&router, 9, 5, 0)?;
        }
        assert_eq!(storm.seen(), 1);
        Ok(())
    }

    #[test]
    fn many_subscriptions_are_found() -> Result {
        let router = Router::new()?;
        let mut held = KVec::new();
        let mut sinks = KVec::new();
        // Not in the order of the list.
        for i in 0..64u32 {
            let gfid = 1 + i * 37 % 64;
            let sink = Counter::new(true)?;
            held.push(
                router.subscribe(Filter::Gfid(gfid), sink.clone())?,
                GFP_KERNEL,
            )?;
            sinks.push((gfid, sink), GFP_KERNEL)?;
        }

        for gfid in 1..=64 {
            rc(&router, 9, 5, gfid)?;
        }
        assert!(sinks.iter().all(|(_, sink)| sink.seen() == 1));
        assert_eq!(counts(&router, "RC_TRIGGERED"), (64, 0, 0));
        Ok(())
    }

    /// Runs until it is told to end.
    #[pin_data]
    struct Slow {
        #[pin]
        running: Completion,
        #[pin]
        go_on: Completion,
        over: Atomic<bool>,
    }

    impl Sink for Slow {
        fn event(&self, _event: &Event<'_>) -> bool {
            self.running.complete_all();
            let _ = self.go_on.wait_timeout(Delta::from_secs(10));
            // Long enough for a drop that does not wait to be seen.
            fsleep(Delta::from_millis(20));
            self.over.store(true, Relaxed);
            true
        }
    }

    /// Lets the sink end, however the test does.
    struct GoOn(Arc<Slow>);

    impl Drop for GoOn {
        fn drop(&mut self) {
            self.0.go_on.complete_all();
        }
    }

    #[test]
    fn drop_waits_for_a_running_sink() -> Result {
        let router = Router::new()?;
        let slow = Arc::pin_init(
            pin_init!(Slow {
                running <- Completion::new(),
                go_on <- Completion::new(),
                over: Atomic::new(false),
            }),
            GFP_KERNEL,
        )?;
        let held = router.subscribe(Filter::Kind(event::VGPU_CONFIG), slow.clone())?;
        // Declared after `held`, so that it is dropped before.
        let go_on = GoOn(slow.clone());
        let other = Counter::new(true)?;
        let _other = router.subscribe(Filter::Gfid(1), other.clone())?;

        let task = router.clone();
        workqueue::system_unbound().try_spawn(GFP_KERNEL, move || {
            // If it fails, the sink does not run, and the wait below says so.
            let name = c"nova_core_vgpu_events_slow";
            let _ = route_for(name, &task, event::VGPU_CONFIG, &[0]);
        })?;
        slow.running.wait_timeout(Delta::from_secs(10))?;

        // Who is slow does not keep others from their events, nor the list from changing.
        rc(&router, 9, 5, 1)?;
        assert_eq!(other.seen(), 1);
        drop(router.subscribe(Filter::Gfid(2), other.clone())?);

        drop(go_on);
        drop(held);
        assert!(slow.over.load(Relaxed));
        Ok(())
    }
}
