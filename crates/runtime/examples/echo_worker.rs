//! A worker process that sends every message back; a first frame may ask for something else.
//! The tests of the process pool start it.

use samite_runtime::processes::Channel;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let channel = Channel::of_worker()?;
    while let Some(frames) = channel.receive()? {
        match frames.first().map(|frame| &**frame) {
            Some(b"exit") => std::process::exit(7),
            Some(b"abort") => std::process::abort(),
            Some(b"sleep") => std::thread::sleep(std::time::Duration::from_secs(60)),
            Some(b"process") => channel.send(&[&std::process::id().to_le_bytes()])?,
            Some(b"variable") => {
                let value = std::env::var("SAMITE_TEST_VARIABLE").unwrap_or_default();
                channel.send(&[value.as_bytes()])?;
            }
            _ => channel.send(&frames.iter().map(|frame| &**frame).collect::<Vec<_>>())?,
        }
    }
    Ok(())
}
