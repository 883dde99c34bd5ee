/** `orla packet load`: a program of one's own on an interface, and its maps at the end. */
import { setTimeout as sleep } from 'node:timers/promises'
import { EdgeError } from '../../../base/errors.ts'
import { load } from '../../../packet/load/load.ts'
import type { LoadedMap } from '../../../packet/load/loaded-map.ts'
import type { LoadedProgram } from '../../../packet/load/loaded-program.ts'
import { type Arguments, UsageError } from '../../arguments.ts'
import { type Command, EXIT, type Terminal } from '../../command.ts'
import { nearest } from '../../../base/nearest.ts'
import { actionsText, eventText, jsonOf, mapJson, mapText, traceText } from './map-text.ts'
import { timeLeft } from './time-left.ts'

const MODES = ['auto', 'native', 'generic', 'offload'] as const

export const command: Command = {
  name: 'packet load',
  operands: 'FILE',
  operandsMin: 1,
  operandsMax: 1,
  text: `Compiles an XDP program with clang (or takes an object, .o), attaches it to an interface, and prints what it prints and the events that it
sends, until Ctrl-C. Then it leaves the interface, and its maps and what it decided are printed. It also leaves when this program is killed.
Programs written for libbpf and for BCC are taken. It asks for root and libbpf.`,
  options: {
    interface: { value: 'NAME', text: 'the network interface' },
    function: { value: 'NAME', text: 'the function to attach; may be left out where FILE has one program' },
    mode: {
      value: 'MODE',
      text: 'native (in the driver), generic (in the network stack), offload (on the card), or auto: native where it can be, else generic (the default)',
    },
    duration: { value: 'TIME', text: 'end by itself after so long, such as 5s' },
    map: { value: 'NAME', many: true, text: 'print this map alone; else all of them' },
    define: { value: 'NAME=VALUE', many: true, text: 'a macro for the compiler, such as PORT=5005' },
    clang: { value: 'PATH', text: 'the compiler; `clang`, where nothing is said' },
    json: { text: 'print each line and event as a JSON object, and the maps as the last one' },
  },
  examples: [
    [
      'orla packet load examples/packet/count-by-port.c --interface eth0',
      'counts packets by port until Ctrl-C',
    ],
    [
      'orla packet load filter.c --function drop_udp --interface eth0 --duration 10s --json',
      'runs one of several programs for ten seconds, for a script',
    ],
  ],
  exits: {
    1: 'it does not compile, the kernel or the interface does not take it, or something that it needs is not there',
  },
  run: async (args, terminal) => {
    const name = args.text('interface')
    if (!name) throw new UsageError('--interface is missing: say which network interface')
    const mode = args.choice('mode', MODES)
    const durationMs = args.duration('duration')
    const stop = new AbortController()
    const onSignal = () => stop.abort()
    for (const signal of SIGNALS) process.once(signal, onSignal)
    try {
      const { [0]: file } = args.operands
      using program = await load(file!, {
        interface: name,
        function: args.text('function'),
        mode,
        clang: args.text('clang'),
        define: args.pairs('define'),
      }).catch((error: unknown) => {
        // Ctrl-C of a terminal ends the compiler as well, which is no fault of the program.
        if (stop.signal.aborted) return undefined
        throw error
      })
      if (!program) {
        terminal.note('ended before the program was attached')
        return EXIT.refused
      }
      const maps = chosenMaps(program, args)
      follow(program, maps, args, terminal)
      const isGone = await ended(program, durationMs, stop.signal)
      if (isGone) terminal.note(`${name} has gone, or the program on it`)
      program.detach()
      program.drain()
      tell(program, maps, args, terminal)
      return isGone ? EXIT.refused : EXIT.done
    } finally {
      for (const signal of SIGNALS) process.off(signal, onSignal)
    }
  },
}

/** Ctrl-C, an end that somebody asks for, and a terminal that was closed, where the output may go to a file. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** How often it is looked whether the program is still there. */
const LOOK_MS = 1000

/** Whichever comes first: the time, a signal, or that the program is on the interface no longer. Resolves to whether it is the last. */
async function ended(
  program: LoadedProgram,
  durationMs: number | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const left = timeLeft(durationMs)
  while (!signal.aborted && left() > 0) {
    if (program.isGone()) return true
    await sleep(Math.min(LOOK_MS, left()), undefined, { signal }).catch(() => undefined)
  }
  return program.isGone()
}

function chosenMaps(program: LoadedProgram, args: Arguments): readonly LoadedMap[] {
  const every = Object.values(program.maps)
  const all = every.filter(({ look }) => look !== 'none')
  const names = args.all('map')
  if (names.length === 0) return all
  const known = all.map(({ name }) => name)
  return names.map((name) => {
    const map = all.find((one) => one.name === name)
    if (map) return map
    const hint = 'the program has left the interface again'
    const hidden = every.find((one) => one.name === name)
    if (hidden) {
      throw new EdgeError(
        'program-invalid',
        `what is in map "${name}", of type ${hidden.type}, cannot be shown`,
        { hint },
      )
    }
    const meant = nearest(name, known)
    const guess = meant === undefined ? '' : `; did you mean ${meant}?`
    const listed = known.length === 0 ? 'the program has none' : `its maps are ${known.join(', ')}`
    throw new EdgeError('program-invalid', `there is no map "${name}": ${listed}${guess}`, { hint })
  })
}

function follow(
  program: LoadedProgram,
  maps: readonly LoadedMap[],
  args: Arguments,
  terminal: Terminal,
): void {
  const isJson = args.flag('json')
  terminal.note(`${program.name} runs on ${program.interface}, ${program.mode}`)
  for (const note of program.notes) terminal.note(note)
  try {
    program.onTrace((line) => terminal.print(isJson ? jsonOf({ trace: line }) : traceText(line)))
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error
    terminal.note(`${error.message}; ${error.hint}`)
  }
  for (const map of maps) {
    if (map.look !== 'events') continue
    map.onEvent((event, { cpu }) => {
      const { name } = map
      terminal.print(isJson ? jsonOf({ event: { map: name, cpu, value: event } }) : eventText(name, event))
    })
  }
}

function tell(program: LoadedProgram, maps: readonly LoadedMap[], args: Arguments, terminal: Terminal): void {
  const actions = program.actions()
  const { linesLost } = program
  if (linesLost > 0) terminal.note(`${linesLost} lines of the program were lost: they came too fast`)
  for (const { name, eventsLost } of maps) {
    if (eventsLost > 0) terminal.note(`${eventsLost} events of ${name} were lost: they came too fast`)
  }
  if (args.flag('json')) {
    const { name, mode } = program
    const shown = maps.filter(({ look }) => look !== 'events')
    const byName = Object.fromEntries(shown.map((map) => [map.name, mapJson(map)]))
    return terminal.print(
      jsonOf({ program: name, interface: program.interface, mode, actions: actions ?? null, maps: byName }),
    )
  }
  const texts = maps.map((map) => mapText(map)).filter((text) => text !== undefined)
  const parts = [...texts, ...(actions ? [actionsText(actions)] : [])]
  terminal.print(parts.join('\n\n'))
}
