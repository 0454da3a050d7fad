#!/usr/bin/env node
/**
 * `npx scopegate …`: the command line, on the same modules that enforce. Runs in Node 24 without a build; npx puts the
 * project's own Node first on the path, so an older one on the machine does not matter.
 */
import { scopegate } from "./program.ts";

// A reader that closes the pipe ("| head") is no failure: the exit code still gives the answer.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

process.exitCode = await scopegate(process.argv.slice(2));
