//! The system calls, by the numbers they have in trace events.

macro_rules! calls {
    ($($call:ident = $number:literal, $name:literal;)*) => {
        /// The numbers of the calls in trace events.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "each is the call of the same name")]
        pub enum Call { $($call = $number,)* }

        impl Call {
            /// Its name in texts.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$call => $name,)* }
            }

            /// The call of this number, if there is one.
            #[must_use]
            pub const fn from_number(number: u64) -> Option<Self> {
                match number { $($number => Some(Self::$call),)* _ => None }
            }
        }
    };
}

calls! {
    Socket = 1, "socket";
    Bind = 2, "bind";
    Listen = 3, "listen";
    Accept = 4, "accept";
    Connect = 5, "connect";
    Send = 6, "send";
    Recv = 7, "recv";
    Shutdown = 8, "shutdown";
    Close = 9, "close";
    Dup = 10, "dup";
    SetOption = 11, "setsockopt";
    GetOption = 12, "getsockopt";
    Submit = 13, "submit";
    Epoll = 14, "epoll_ctl";
    Read = 15, "read";
    Write = 16, "write";
    EventFd = 17, "eventfd";
    TimerFd = 18, "timerfd_create";
    SetTimer = 19, "timerfd_settime";
    Pipe = 20, "pipe";
    SocketPair = 21, "socketpair";
    SendMessage = 22, "sendmsg";
    RecvMessage = 23, "recvmsg";
}
