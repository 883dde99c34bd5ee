/** Tells how far something long has come, on standard error, once in two seconds: what is quick stays silent. */
import type { Terminal } from './command.ts'

const EVERY_MS = 2000

export function progressTo(terminal: Terminal, done: string) {
  let toldAt = performance.now()
  return (what: string, part: number, total: number): void => {
    if (performance.now() - toldAt < EVERY_MS) return
    toldAt = performance.now()
    terminal.note(`${what}: ${Math.floor((part / total) * 100)} % ${done}`)
  }
}
