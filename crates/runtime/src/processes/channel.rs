//! One end of the socket between a pool and a worker process.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::WORKER_DESCRIPTOR;
use super::frame::{Frame, Mapping, share};

/// Frames from this size on go through shared memory.
const SHARED_FROM: usize = 1 << 20;
/// The kernel passes no more descriptors with one message.
const MOST_SHARED: usize = 253;
/// More frames than this are taken for a broken message.
const MOST_FRAMES: usize = 1 << 20;
const SHARED_BIT: u64 = 1 << 63;
const PREFIX: usize = 8;

/// One end of a socket that carries messages of frames.
#[derive(Debug)]
pub struct Channel {
    socket: UnixStream,
}

/// Called while an end waits for the other; an error ends the wait.
pub(super) type WhileWaiting<'a> = &'a mut dyn FnMut() -> io::Result<()>;

impl Channel {
    /// The worker process's end, as its parent passed it.
    ///
    /// # Errors
    /// Where the process was not started by a [`ProcessPool`](super::ProcessPool).
    pub fn of_worker() -> io::Result<Self> {
        // SAFETY: fcntl with F_GETFD only asks whether the descriptor is open.
        if unsafe { libc::fcntl(WORKER_DESCRIPTOR, libc::F_GETFD) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is open, and the parent opened it for this use alone.
        let owned = unsafe { OwnedFd::from_raw_fd(WORKER_DESCRIPTOR) };
        Ok(Self { socket: owned.into() })
    }

    pub(super) fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { socket })
    }

    /// Sends one message.
    ///
    /// # Errors
    /// Those of the socket; [`io::ErrorKind::BrokenPipe`] where the other end is gone.
    pub fn send(&self, frames: &[&[u8]]) -> io::Result<()> {
        self.send_while(frames, &[], &mut || Ok(()))
    }

    /// Waits for one message; `None` where the other end is gone.
    ///
    /// # Errors
    /// Those of the socket; [`io::ErrorKind::InvalidData`] for what is no message.
    pub fn receive(&self) -> io::Result<Option<Vec<Frame>>> {
        self.receive_while(&[], &mut || Ok(()))
    }

    pub(super) fn send_while(
        &self,
        frames: &[&[u8]],
        watched: &[RawFd],
        waiting: WhileWaiting<'_>,
    ) -> io::Result<()> {
        let mut files = Vec::new();
        let mut head = vec![0; PREFIX];
        let mut inline: Vec<&[u8]> = Vec::new();
        for frame in frames {
            let large = frame.len() >= SHARED_FROM && files.len() < MOST_SHARED;
            let mut length = frame.len() as u64;
            match large.then(|| share(frame)).flatten() {
                Some(file) => {
                    files.push(file);
                    length |= SHARED_BIT;
                }
                None => inline.push(frame),
            }
            head.extend_from_slice(&length.to_le_bytes());
        }
        head[..4].copy_from_slice(&(frames.len() as u32).to_le_bytes());
        head[4..PREFIX].copy_from_slice(&(files.len() as u32).to_le_bytes());
        let mut rest = &head[self.send_prefix(&head[..PREFIX], &files, watched, waiting)?..];
        // Small messages leave in one piece.
        let joined;
        if inline.iter().map(|frame| frame.len()).sum::<usize>() <= 1 << 16 {
            joined = [rest, &inline.concat()].concat();
            rest = &joined;
            inline.clear();
        }
        self.send_all(rest, watched, waiting)?;
        for frame in inline {
            self.send_all(frame, watched, waiting)?;
        }
        Ok(())
    }

    fn send_all(
        &self,
        mut bytes: &[u8],
        watched: &[RawFd],
        waiting: WhileWaiting<'_>,
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = self.send_prefix(bytes, &[], watched, waiting)?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    /// Sends some of `bytes`, with descriptors attached.
    fn send_prefix(
        &self,
        bytes: &[u8],
        files: &[OwnedFd],
        watched: &[RawFd],
        waiting: WhileWaiting<'_>,
    ) -> io::Result<usize> {
        let mut part =
            libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let mut control = ControlBuffer::new();
        let descriptors: Vec<RawFd> = files.iter().map(AsRawFd::as_raw_fd).collect();
        // SAFETY: all zeros is a valid msghdr without name, parts and control data.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        if !descriptors.is_empty() {
            control.attach(&mut message, &descriptors);
        }
        loop {
            // SAFETY: `message` points at `part` and `control`, which live until after the call.
            let sent = unsafe {
                libc::sendmsg(self.socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL)
            };
            if let Ok(sent) = usize::try_from(sent) {
                return Ok(sent);
            }
            self.retry_later(libc::POLLOUT, watched, waiting)?;
        }
    }

    pub(super) fn receive_while(
        &self,
        watched: &[RawFd],
        waiting: WhileWaiting<'_>,
    ) -> io::Result<Option<Vec<Frame>>> {
        let mut files = Vec::new();
        let mut prefix = [0; PREFIX];
        if !self.receive_exactly(&mut prefix, &mut files, watched, waiting)? {
            return Ok(None);
        }
        let number = |bytes: &[u8]| {
            bytes.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte))
        };
        let (count, shared) = (number(&prefix[..4]) as usize, number(&prefix[4..]) as usize);
        if count > MOST_FRAMES || shared != files.len() {
            return Err(broken("its frames do not add up"));
        }
        let mut lengths = vec![0; count * 8];
        self.receive_rest(&mut lengths, watched, waiting)?;
        let mut files = files.into_iter();
        let mut frames = Vec::with_capacity(count);
        for length in lengths.chunks_exact(8).map(number) {
            let size =
                usize::try_from(length & !SHARED_BIT).map_err(|_| broken("a frame's size"))?;
            if length & SHARED_BIT != 0 {
                let file = files.next().ok_or_else(|| broken("a shared frame is missing"))?;
                frames.push(Frame::Shared(Mapping::of(&file, size)?));
                continue;
            }
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(size).map_err(|_| broken("a frame is too large"))?;
            bytes.resize(size, 0);
            self.receive_rest(&mut bytes, watched, waiting)?;
            frames.push(Frame::Inline(bytes));
        }
        Ok(Some(frames))
    }

    fn receive_rest(
        &self,
        place: &mut [u8],
        watched: &[RawFd],
        waiting: WhileWaiting<'_>,
    ) -> io::Result<()> {
        if self.receive_exactly(place, &mut Vec::new(), watched, waiting)? {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    /// Fills `place`; false where the other end is gone before the first byte.
    fn receive_exactly(
        &self,
        place: &mut [u8],
        files: &mut Vec<OwnedFd>,
        watched: &[RawFd],
        waiting: WhileWaiting<'_>,
    ) -> io::Result<bool> {
        let mut filled = 0;
        while filled < place.len() {
            let left = &mut place[filled..];
            let mut part = libc::iovec { iov_base: left.as_mut_ptr().cast(), iov_len: left.len() };
            let mut control = ControlBuffer::new();
            // SAFETY: all zeros is a valid msghdr without name, parts and control data.
            let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
            message.msg_iov = &raw mut part;
            message.msg_iovlen = 1;
            message.msg_control = control.bytes.as_mut_ptr().cast();
            message.msg_controllen = size_of_val(&control.bytes) as _;
            // SAFETY: `message` points at `part` and `control`, which live until after the call.
            let received =
                unsafe { libc::recvmsg(self.socket.as_raw_fd(), &raw mut message, RECEIVE_FLAGS) };
            match usize::try_from(received) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(received) => {
                    filled += received;
                    control.detach(&message, files);
                }
                Err(_) => {
                    let error = io::Error::last_os_error();
                    if error.kind() == io::ErrorKind::ConnectionReset && filled == 0 {
                        return Ok(false);
                    }
                    self.retry_later(libc::POLLIN, watched, waiting)?;
                }
            }
        }
        Ok(true)
    }

    /// After a failed call: waits until it may succeed, or returns its error.
    fn retry_later(
        &self,
        events: libc::c_short,
        watched: &[RawFd],
        waiting: WhileWaiting<'_>,
    ) -> io::Result<()> {
        const LOOK_AGAIN: Duration = Duration::from_millis(20);
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::Interrupted => return waiting(),
            io::ErrorKind::WouldBlock => {}
            _ => return Err(error),
        }
        let entry = |descriptor, events| libc::pollfd { fd: descriptor, events, revents: 0 };
        let mut entries = vec![entry(self.socket.as_raw_fd(), events)];
        entries.extend(watched.iter().map(|descriptor| entry(*descriptor, libc::POLLIN)));
        // SAFETY: `entries` is an array of as many valid entries as its length says.
        unsafe {
            libc::poll(
                entries.as_mut_ptr(),
                entries.len() as libc::nfds_t,
                LOOK_AGAIN.as_millis() as libc::c_int,
            );
        }
        // What the socket still holds comes before the news that the other end has ended.
        if entries[0].revents != 0 { Ok(()) } else { waiting() }
    }
}

fn broken(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(target_os = "linux")]
const RECEIVE_FLAGS: libc::c_int = libc::MSG_CMSG_CLOEXEC;
#[cfg(not(target_os = "linux"))]
const RECEIVE_FLAGS: libc::c_int = 0;

/// Room for the descriptors that ride on a message, aligned as their header asks.
struct ControlBuffer {
    bytes: [u64; 160],
}

impl ControlBuffer {
    fn new() -> Self {
        Self { bytes: [0; 160] }
    }

    fn attach(&mut self, message: &mut libc::msghdr, descriptors: &[RawFd]) {
        let size = size_of_val(descriptors) as libc::c_uint;
        message.msg_control = self.bytes.as_mut_ptr().cast();
        // SAFETY: CMSG_SPACE only calculates.
        message.msg_controllen = unsafe { libc::CMSG_SPACE(size) } as _;
        // SAFETY: the control data is large enough for one header with MOST_SHARED descriptors
        // (8 × 160 bytes against 16 + 4 × 253), so the first header exists and has room for them.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size) as _;
            std::ptr::copy_nonoverlapping(
                descriptors.as_ptr().cast::<u8>(),
                libc::CMSG_DATA(header),
                size as usize,
            );
        }
    }

    fn detach(&self, message: &libc::msghdr, files: &mut Vec<OwnedFd>) {
        // SAFETY: the kernel filled the control data that `message` points at, and the CMSG
        // macros stay inside of it. Each descriptor is new to this process and owned by nobody.
        unsafe {
            let mut header = libc::CMSG_FIRSTHDR(message);
            while !header.is_null() {
                if (*header).cmsg_level == libc::SOL_SOCKET
                    && (*header).cmsg_type == libc::SCM_RIGHTS
                {
                    let data = libc::CMSG_DATA(header);
                    let size = (*header).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                    for place in 0..size / size_of::<RawFd>() {
                        let descriptor = data.cast::<RawFd>().add(place).read_unaligned();
                        files.push(OwnedFd::from_raw_fd(descriptor));
                    }
                }
                header = libc::CMSG_NXTHDR(message, header);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Channel, Channel) {
        let (left, right) = UnixStream::pair().unwrap();
        (Channel::new(left).unwrap(), Channel::new(right).unwrap())
    }

    #[test]
    fn messages_of_all_sizes_arrive() {
        let (left, right) = pair();
        let large: Vec<u8> = (0..SHARED_FROM * 2 + 3).map(|place| place as u8).collect();
        let middle = vec![7u8; SHARED_FROM - 1];
        let frames: [&[u8]; 6] = [b"", b"small", &large, &middle, b"", &large];
        std::thread::scope(|scope| {
            scope.spawn(|| {
                left.send(&frames).unwrap();
                left.send(&[]).unwrap();
            });
            let got = right.receive().unwrap().unwrap();
            assert!(got.iter().map(|frame| &**frame).eq(frames));
            assert_eq!(matches!(got[2], Frame::Shared(_)), cfg!(target_os = "linux"));
            assert!(right.receive().unwrap().unwrap().is_empty());
        });
        drop(left);
        assert!(right.receive().unwrap().is_none());
    }

    #[test]
    fn more_large_frames_than_descriptors_arrive() {
        let (left, right) = pair();
        let large = vec![1u8; SHARED_FROM];
        let frames = vec![&large[..]; MOST_SHARED + 2];
        std::thread::scope(|scope| {
            scope.spawn(|| left.send(&frames).unwrap());
            let got = right.receive().unwrap().unwrap();
            assert!(got.iter().map(|frame| &**frame).eq(frames.iter().copied()));
        });
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        let (left, right) = pair();
        left.send_all(&[255; 16], &[], &mut || Ok(())).unwrap();
        assert_eq!(right.receive().unwrap_err().kind(), io::ErrorKind::InvalidData);
        let (left, right) = pair();
        left.send_all(&[1, 0, 0, 0, 0, 0, 0, 0, 9, 9], &[], &mut || Ok(())).unwrap();
        drop(left);
        assert_eq!(right.receive().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
