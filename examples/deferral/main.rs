//! Clients on their walk from server to server.

mod crowd;
mod driver;
mod ledger;
mod story;
mod work;

use std::process::ExitCode;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let result: Result<(), String> = runtime.block_on(async {
        story::run(&story::Story::new(true)).await?;
        println!();
        let report = crowd::run(crowd::Plan::WHOLE).await?;
        println!();
        report.print();
        report.problem().map_or(Ok(()), Err)
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("deferral: {error}");
            ExitCode::FAILURE
        }
    }
}
