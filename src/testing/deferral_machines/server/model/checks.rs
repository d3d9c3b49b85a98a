//! What came of an input, held against what must, and against the properties by themselves.

use super::*;

impl ServerModel {
    /// D4, D6, D10, D15 by what has come out.
    fn check_properties(&mut self, input: &Input, outputs: &[Output]) -> Result<(), String> {
        for output in outputs {
            match output {
                Output::Event(Event::Execute(job)) => {
                    let once = !job.flags.intersects(RequestFlags::READ_ONLY | RequestFlags::IDEMPOTENT);
                    if once && self.begun.contains(&job.key) {
                        return broken("D6", format_args!("{:?} is carried out twice", job.key));
                    }
                    self.begun.extend(once.then_some(job.key));
                }
                Output::Send { message: Message::Defer(defer), .. } => {
                    let random = match input {
                        Input::Message { message: Message::Request(request), random, .. } => {
                            let load = defer.kind == DeferKind::BUSY || defer.kind == DeferKind::PREFER_OTHER;
                            if load && has(request, RequestFlags::PRIORITY) {
                                return broken("D4", format_args!("{request:?} has priority: {defer:?}"));
                            }
                            *random
                        }
                        Input::Continue { random, .. } => *random,
                        _ => continue,
                    };
                    // What is said again was put in order before.
                    if defer.kind == DeferKind::CONTINUE && !matches!(input, Input::Continue { .. }) {
                        continue;
                    }
                    let order: Vec<ServerUri> = defer.alternates.iter().map(|one| one.uri.clone()).collect();
                    let mut list: Vec<ServerUri> = named(&self.config.alternates);
                    list.retain(|uri| order.contains(uri));
                    // (Who is named twice may be fit once.)
                    if list.len() == order.len() {
                        let known = self.orders.entry((random, list)).or_insert_with(|| order.clone());
                        if *known != order {
                            return broken("D15", format_args!("{random} gives {known:?} and {order:?}"));
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Reference<Server, Input> for ServerModel {
    fn expect(&self, input: &Input) -> Option<Expected> {
        Some(match input {
            Input::Message { link, .. } if self.shut.contains(link) => Expected::Misuse,
            Input::Message { message, .. } => match message {
                Message::Request(_) | Message::Cancel(_) | Message::Unknown { .. } => Expected::Fine,
                _ => Expected::Violation,
            },
            Input::Data { job, .. }
            | Input::End { job, .. }
            | Input::Continue { job, .. }
            | Input::Refuse { job, .. }
                if self.at(*job).is_none() =>
            {
                Expected::Misuse
            }
            Input::Alternates(list) if list.len() > self.config.limits.alternates => Expected::Misuse,
            _ => Expected::Fine,
        })
    }

    fn follow(&mut self, now: Instant, input: &Input, outputs: &[Output], machine: &Server) -> Result<(), String> {
        self.check_properties(input, outputs)?;
        let mut must = self.input(now, input);
        let sort = |output: &Output| match output {
            Output::Send { link, message } => Output::Send { link: *link, message: sorted(message) },
            other => other.clone(),
        };
        let outputs: Vec<Output> = outputs.iter().map(sort).collect();
        must.wire = must.wire.iter().map(sort).collect();
        must.check(&outputs, as_event, property)?;
        let got = (machine.poll_timeout(), machine.queued(), machine.running());
        let should = (self.due(), self.waiting(), self.running());
        if got != should {
            return broken("5.3", format_args!("deadline, in line, running: {got:?}, not {should:?}"));
        }
        let (state, mode) = (std::format!("{:?}", machine.state()), std::format!("{:?}", self.mode));
        if state != mode {
            return broken("5.1", format_args!("it is {state}, not {mode}"));
        }
        let limits = &self.config.limits;
        if self.over().count() > limits.remembered || self.waiting() > limits.queue {
            return broken("D13", format_args!("more is kept than may be"));
        }
        Ok(())
    }

    fn at_rest(&self, machine: &Server) -> Result<(), String> {
        let left = (machine.queued(), machine.running(), self.entries.len());
        if left != (0, 0, 0) {
            return broken("5.3", format_args!("something is left: {left:?}"));
        }
        Ok(())
    }
}

fn as_event(output: &Output) -> Option<&Event> {
    if let Output::Event(event) = output { Some(event) } else { None }
}

/// The property that a difference is about.
fn property(difference: Result<&Output, &Event>) -> &'static str {
    match difference {
        Ok(Output::Send { message: Message::Defer(_), .. }) => "D4, D10",
        Ok(Output::Send { message: Message::Cancelled(_), .. }) => "D12",
        Err(Event::Execute(_)) => "D6, D11",
        Err(Event::Abandoned(_)) => "D12",
        _ => "5.2",
    }
}
