/** `orla packet watch`: what arrives at a network interface, by destination port. */
import { setTimeout as sleep } from 'node:timers/promises'
import { EdgeError } from '../../../base/errors.ts'
import type { PacketCounts } from '../../../contract/packet.ts'
import { loadLibbpf } from '../../../packet/libbpf.ts'
import { countPackets, type PacketCounter } from '../../../packet/packet-counter.ts'
import { countsSince, NOTHING } from '../../../packet/packet-counts.ts'
import { type Arguments, UsageError } from '../../arguments.ts'
import { type Command, EXIT, type Terminal } from '../../command.ts'
import { byPort, histogram, leftOut, portLine, type Shown, summary } from './packet-text.ts'
import { timeLeft } from './time-left.ts'

const TOP_DEFAULT = 20
const PORTS = 65_536
const INTERVAL_MS = 1000

export const command: Command = {
  name: 'packet watch',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  text: [
    'Counts the packets that arrive at a network interface by their destination port, with an XDP program of its own, until Ctrl-C, SIGTERM or the end of --duration. Ports whose count has grown are printed as it goes on, and the histogram at the end. Packets pass as if it were not there.',
    'It needs no node. Where the packet plane of a node is on the interface already, what that one counts is shown, from now on. It leaves with this command, also when that is killed. An XDP program of somebody else is not replaced.',
    'It asks for root, or for CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; to read what a node counts, for root.',
  ].join('\n'),
  options: {
    interface: { value: 'NAME', text: 'the network interface, such as lo or eth0' },
    protocol: { value: 'udp|tcp', text: 'this one alone; both together unless said' },
    top: { value: 'N', text: `the busiest ports: 1 to ${PORTS}, ${TOP_DEFAULT} unless said` },
    mode: {
      value: 'auto|native|generic|offload',
      text: 'where the program runs: in the driver, in the network stack, on the card; auto, unless said, is native where that can be, else generic',
    },
    interval: {
      value: 'TIME',
      text: 'how often it is told what has come, 1s unless said; 0s: at the end alone',
    },
    duration: { value: 'TIME', text: 'ends by itself after this, such as 30s' },
    json: { text: 'print a line of JSON each time instead; the last one has "end": true' },
  },
  examples: [
    ['orla packet watch --interface lo', 'what programs on this machine say to each other'],
    [
      'orla packet watch --interface eth0 --protocol udp --top 5 --duration 10s',
      'the busiest UDP ports of ten seconds',
    ],
    ['orla packet watch --interface eth0 --interval 0s --duration 1m --json', 'one line, for a script'],
  ],
  exits: { 1: 'it cannot count there, or the interface has gone' },
  run: async (args, terminal) => {
    const name = args.text('interface')
    if (name === undefined) throw new UsageError('give the interface: --interface lo')
    const mode = args.choice('mode', ['auto', 'native', 'generic', 'offload']) ?? 'auto'
    const shown: Shown = {
      protocol: args.choice('protocol', ['udp', 'tcp']),
      top: wholeNumber(args, 'top', PORTS) ?? TOP_DEFAULT,
    }
    const times = { everyMs: args.duration('interval') ?? INTERVAL_MS, untilMs: args.duration('duration') }
    const counter = open(name, mode)
    try {
      if (!args.flag('json')) terminal.note(startLine(name, counter))
      const report = args.flag('json') ? jsonReport(name, terminal, shown) : textReport(name, terminal, shown)
      return await watch(counter, report, times)
    } finally {
      counter.close()
    }
  },
}

function open(name: string, mode: 'auto' | 'native' | 'generic' | 'offload'): PacketCounter {
  const loaded = loadLibbpf()
  const counting =
    loaded.kind === 'missing'
      ? { kind: 'unavailable' as const, reason: loaded.reason }
      : countPackets(loaded.libbpf, name, mode)
  if (counting.kind === 'counting') return counting.counter
  const code = counting.kind === 'refused' ? 'interface-refused' : 'packet-unavailable'
  throw new EdgeError(code, `${name}: ${counting.reason}`)
}

function startLine(name: string, { mode, note, isShared }: PacketCounter): string {
  if (isShared) return `reading what the packet plane counts on ${name} (${mode}); Ctrl-C ends it`
  return `counting on ${name} (${mode}${note === undefined ? '' : `: ${note}`}); Ctrl-C ends it`
}

interface Report {
  /** What has come until now, and what of it is new. */
  live(counts: PacketCounts, news: PacketCounts): void
  end(counts: PacketCounts, seconds: number, isGone: boolean): void
}

interface Times {
  /** 0: never. */
  readonly everyMs: number
  readonly untilMs: number | undefined
}

/** How often it is looked whether the interface is still there, where nothing else is told. */
const LOOK_MS = 1000

async function watch(counter: PacketCounter, report: Report, { everyMs, untilMs }: Times): Promise<number> {
  const stop = new AbortController()
  const onSignal = () => stop.abort()
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
  const startedAt = performance.now()
  const left = timeLeft(untilMs)
  let before = NOTHING
  let isGone = false
  try {
    while (!stop.signal.aborted && left() > 0 && !isGone) {
      const ms = Math.min(everyMs === 0 ? LOOK_MS : everyMs, left())
      await sleep(ms, undefined, { signal: stop.signal }).catch(() => undefined)
      isGone = counter.isGone()
      if (everyMs === 0 || stop.signal.aborted || left() <= 0) continue
      const counts = counter.read()
      const news = countsSince(before, counts)
      if (news.totals.length > 0) report.live(counts, news)
      before = counts
    }
    report.end(counter.read(), (performance.now() - startedAt) / 1000, isGone)
    return isGone ? EXIT.refused : EXIT.done
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

function textReport(name: string, terminal: Terminal, shown: Shown): Report {
  return {
    live(counts, news) {
      const grown = byPort(news.ports, shown.protocol).slice(0, shown.top)
      const all = new Map(byPort(counts.ports, shown.protocol))
      for (const [port] of grown) terminal.print(portLine(port, all.get(port)!))
    },
    end(counts, seconds, isGone) {
      if (isGone) terminal.note(`${name} has gone, or the program on it`)
      terminal.note(`${name}, ${seconds.toFixed(1)} s: ${summary(counts)}`)
      for (const line of histogram(counts, shown)) terminal.print(line)
      const more = leftOut(counts, shown)
      if (more > 0) terminal.note(`and ${more} more ${more === 1 ? 'port' : 'ports'} (--top)`)
    },
  }
}

function jsonReport(name: string, terminal: Terminal, { protocol, top }: Shown): Report {
  const print = ({ totals, fragments, ports }: PacketCounts, seconds?: number) => {
    const chosen = ports
      .filter((one) => protocol === undefined || one.protocol === protocol)
      .toSorted((a, b) => b.packets - a.packets || a.port - b.port)
      .slice(0, top)
    terminal.print(
      JSON.stringify({
        at: new Date().toISOString(),
        interface: name,
        ports: chosen,
        totals,
        fragments,
        ...(seconds !== undefined && { end: true, seconds: Math.round(seconds * 1000) / 1000 }),
      }),
    )
  }
  return {
    live: (counts) => print(counts),
    end(counts, seconds, isGone) {
      if (isGone) terminal.note(`${name} has gone, or the program on it`)
      print(counts, seconds)
    },
  }
}

function wholeNumber(args: Arguments, name: string, max: number): number | undefined {
  const number = args.number(name, 1, max)
  if (number === undefined || Number.isInteger(number)) return number
  throw new UsageError(`--${name} takes a whole number from 1 to ${max}, not "${number}"`)
}
