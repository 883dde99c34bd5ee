/** A machine without libbpf: its file, as this process has it mapped, hidden from a command. */
import { readFileSync } from 'node:fs'

/** Of the library that this process has loaded. */
export function libbpfFile(): string {
  const found = /\/\S*libbpf\.so\S*$/m.exec(readFileSync('/proc/self/maps', 'utf8'))
  if (found === null) throw new Error('this process has not loaded libbpf')
  return found[0]
}
