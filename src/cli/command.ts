/**
 * What a command is: a description that `--help`, the parser and the list of commands are made from, and a function.
 *
 * Commands live one a file in `commands/` and are loaded when they are called, so that `orla deploy` does not pay for
 * what `orla start` needs.
 */
import type { Arguments } from './arguments.ts'

/** Scripts rely on these. */
export const EXIT = {
  done: 0,
  /** Refused: by the control plane, by a check, or because something that is needed is not there. */
  refused: 1,
  /** Accepted, but not finished in time. */
  notFinished: 2,
  /** The command line itself is wrong (`EX_USAGE` of sysexits). */
  usage: 64,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export interface Option {
  /** How the value is called in the help, such as `FILE`. Absent: the option is a switch. */
  readonly value?: string
  /** May be given several times. */
  readonly many?: boolean
  readonly text: string
}

export interface Command {
  readonly name: string
  /** The arguments that are not options, as in `FILE…`; empty for none. */
  readonly operands: string
  /** How many of them there must be. */
  readonly operandsMin: number
  readonly operandsMax: number
  readonly options: Readonly<Record<string, Option>>
  /** Paragraphs of the help between usage and options. */
  readonly text: string
  readonly examples: readonly (readonly [line: string, what: string])[]
  /** What the exit codes mean here, beyond 0 done and 64 usage. */
  readonly exits: Readonly<Partial<Record<1 | 2, string>>>
  /** Resolves to the exit code; `start` ends with that of a shell when a second signal cuts it. */
  run(args: Arguments, terminal: Terminal): Promise<number>
}

/** A command as a list of commands has it: loaded when it is called. */
export interface CommandEntry {
  readonly summary: string
  load(): Promise<{ readonly command: Command }>
}

/** A name with commands behind it that have options of their own, as in `orla cache sim`. Each is called `NAME SUBNAME`. */
export interface CommandGroup {
  readonly name: string
  /** What they have in common. */
  readonly text: string
  readonly commands: Readonly<Record<string, CommandEntry>>
}

export const isGroup = (command: Command | CommandGroup): command is CommandGroup => 'commands' in command

/** Where a command speaks and what it knows of its surroundings. */
export interface Terminal {
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Results, to standard output, a line each. */
  print(line: string): void
  /** Everything else, to standard error. */
  note(line: string): void
}

/** The options of every command that talks to a control plane. */
export const CONTROL_OPTIONS = {
  control: { value: 'URL', text: 'the control plane; $ORLA_CONTROL, else http://127.0.0.1:8081' },
  token: {
    value: 'TOKEN',
    text: 'its bearer token; $ORLA_TOKEN, else the one that a node keeps in data/control.token or control.token here',
  },
} as const satisfies Record<string, Option>

/** The options of every command that changes what is live. */
export const CHANGE_OPTIONS = {
  wait: {
    value: 'LEVEL',
    text: 'done when it is stored (`stored`), run by a majority of the nodes (`edges`), by N of them (`edges:3`), by the edges that are named (`edges:gru1,gru2`), or by all that are not stopped (`all`, the default)',
  },
  timeout: { value: 'TIME', text: 'how long to wait for that, such as 30s' },
  'on-timeout': {
    value: 'keep|withdraw',
    text: 'what becomes of a change that is not done in time: it stays and goes on, or it is taken back everywhere',
  },
} as const satisfies Record<string, Option>

export const JSON_OPTION = { json: { text: 'print JSON' } } as const satisfies Record<string, Option>
