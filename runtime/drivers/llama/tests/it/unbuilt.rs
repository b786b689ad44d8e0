//! A build without llama.cpp.

use crate::world::{World, config};
use messages::ports::engine::{Command, Event};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_driver_without_llama_cpp_says_so_and_stays() {
    let (home, config) = config("tiny", |_| {});
    let mut world = World::start(home, config).await;
    for _ in 0..2 {
        world.tell(Command::Attach);
        let event = world.event().await;
        assert!(matches!(&event, Event::Failed { why } if &**why == "built without llama.cpp"));
    }
}
