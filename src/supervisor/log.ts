/** Where the supervisor tells an operator what happened, a line each. Injected, so that tests can read it. */
export interface Log {
  info(line: string): void
  warn(line: string): void
}

/** To standard error: standard output belongs to the one line `ready …`. */
export const stderrLog: Log = {
  info: (line) => void process.stderr.write(`${line}\n`),
  warn: (line) => void process.stderr.write(`warning: ${line}\n`),
}
