/** `orla cache sim`: which replacement policy and admission would do best on a trace, or on what the node's own log says of its traffic. */
import { writeFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { EdgeError } from '../../../base/errors.ts'
import { missRatioChart } from '../../../cache/sim/chart.ts'
import { choiceOf, choicesOf } from '../../../cache/sim/choice.ts'
import type { SimPolicy, SimResult, SweepPlan } from '../../../cache/sim/sweep.ts'
import { sweepInThreads } from '../../../cache/sim/sweep-threads.ts'
import { factsOf } from '../../../cache/sim/trace.ts'
import { readTrace, type TraceReading } from '../../traces/trace-file.ts'
import type { Arguments } from '../../arguments.ts'
import { type Command, EXIT, type Terminal } from '../../command.ts'
import { progressTo } from '../../progress.ts'
import { checkOptions, planOf, readingOptions, SIM_OPTIONS } from './sim-options.ts'
import { asideText, badText, reportText, subtitleOf } from './sim-text.ts'

export const command: Command = {
  name: 'cache sim',
  operands: 'TRACE…',
  operandsMin: 1,
  operandsMax: Number.POSITIVE_INFINITY,
  text: [
    'Runs the requests of TRACE through the cache with every policy and every admission at several sizes, tells the hit ratio of each, and',
    'says which setting it would choose: the best hit ratio, and among those within half a point of it the one that costs the least.',
    'Several files are read one after the other as one trace; `-` is standard input. gzip and Zstandard are unpacked.',
    '',
    'What it reads, found out by the first lines:',
    '  an access log of Orla   in JSON with any fields that tell host and target, or combined; also the JSON of Caddy and nginx, and common logs',
    '  keys                    a key a line, and its size in bytes behind it where it is known: "page/7 512"',
    '  CSV                     time,key,size as libCacheSim has it, or as a heading or --columns says',
    '  oracleGeneral           the binary traces of libCacheSim, by the name of the file or --format oracle-general',
    '',
    'Of a log, GET requests count that the cache could have answered; an object is host, path and query, its size the largest answer.',
    'Time is not simulated: objects never expire and are never purged, so what is told is the most that a size and a policy can give.',
    '',
    'Policies are lru, lfu (with ageing), plain-lfu, fifo, random, clock, sieve, s3-fifo, arc, w-tinylfu and gdsf, as `policy` of the',
    "configuration has them, in any case; and min and min-bypass, Belady's optimum, which sees the future: the bound for caches that have",
    'to take everything in, and for those that may refuse. What papers call LFU has no ageing: LFU in capitals is plain-lfu.',
    'Admissions are all (everything comes in), second-sight, tinylfu and size-probability, as `admission` has them.',
  ].join('\n'),
  options: {
    ...SIM_OPTIONS,
    json: {
      text: 'print JSON: `trace`, `by`, `results` (each with policy, admission, by, size, hits, hitRatio, byteHitRatio…), `choice` over all sizes, and `choices`, one for each',
    },
  },
  examples: [
    ['orla cache sim access.log', "on the node's own traffic"],
    [
      'orla cache sim access.log --site shop --sizes 64mb,256mb,1gb',
      'one site, at the sizes that there is room for',
    ],
    [
      'orla cache sim access.log.2.gz access.log.1 access.log --chart curve.svg',
      'three days of logs, the oldest first, and the miss-ratio curve',
    ],
    [
      'orla cache sim trace.csv.gz --by entries --policies lru,s3-fifo,min --json',
      'two policies and the bound, as JSON',
    ],
  ],
  exits: { 1: 'a trace cannot be read, or holds nothing that a cache could answer' },
  run: async (args, terminal) => {
    const { cwd } = terminal
    checkOptions(args)
    const progress = progressOf(args, terminal)
    const reading = await readTrace(args.operands, {
      cwd,
      ...readingOptions(args),
      onProgress: (name, bytes, of) => of !== undefined && progress(`reading ${basename(name)}`, bytes, of),
    })
    const facts = factsOf(reading.trace)
    const plan = planOf(args, reading.trace, facts)
    const results = await sweepInThreads(reading.trace, plan, {
      onProgress: ({ policy }, done, of) => progress(`simulating ${policy}`, done, of),
    })
    const goal = args.choice('goal', ['hits', 'bytes']) ?? 'hits'
    const report = {
      names: args.operands,
      reading,
      facts,
      results,
      choice: choiceOf(results, goal),
      choices: choicesOf(results, goal),
    }
    const chart = args.text('chart')
    if (chart !== undefined) await writeChart(resolve(cwd, chart), report)
    for (const line of [badText(reading), asideText(reading)]) if (line !== '') terminal.note(line)
    terminal.print(args.flag('json') ? JSON.stringify(jsonOf(report, plan)) : reportText(report, goal))
    return EXIT.done
  },
}

type Progress = ReturnType<typeof progressTo>

/** To a person who waits, and to whoever asks for it. */
function progressOf(args: Arguments, terminal: Terminal): Progress {
  return args.flag('progress') || process.stderr.isTTY ? progressTo(terminal, 'done') : () => {}
}

export interface SimReport {
  readonly names: readonly string[]
  readonly reading: TraceReading
  readonly facts: ReturnType<typeof factsOf>
  readonly results: readonly SimResult[]
  readonly choice: ReturnType<typeof choiceOf>
  readonly choices: ReturnType<typeof choicesOf>
}

async function writeChart(path: string, report: SimReport): Promise<void> {
  const title = `Miss ratio of ${report.names.map((name) => basename(name)).join(', ')}`
  const svg = missRatioChart(report.results, { title, subtitle: subtitleOf(report) }, report.choice)
  try {
    await writeFile(path, svg)
  } catch (error) {
    throw new EdgeError('file-unwritable', `${path}: ${(error as Error).message}`, { cause: error })
  }
}

/** As papers and other simulators call them. */
const PUBLISHED_NAMES: Readonly<Record<SimPolicy, string>> = {
  lru: 'LRU',
  lfu: 'LFU-DA',
  'plain-lfu': 'LFU',
  fifo: 'FIFO',
  random: 'RANDOM',
  clock: 'CLOCK',
  sieve: 'SIEVE',
  's3-fifo': 'S3-FIFO',
  arc: 'ARC',
  'w-tinylfu': 'W-TinyLFU',
  gdsf: 'GDSF',
  min: 'MIN',
  'min-bypass': 'MIN-bypass',
}

/** Names and numbers as scripts want them: ratios from 0 to 1, bytes and entries as whole numbers. */
function jsonOf(
  { names, reading, facts, results, choice, choices }: SimReport,
  { sizes }: SweepPlan,
): object {
  const { format, lines, bad, aside, logged, trace } = reading
  return {
    trace: {
      names,
      format,
      lines,
      ...facts,
      hasSizes: trace.hasSizes,
      sampled: trace.share < 1 ? trace.share : null,
      badLines: bad.count,
      aside: Object.fromEntries(aside),
      logged: logged.asked === 0 ? null : { ...logged, hitRatio: logged.hits / logged.asked },
    },
    by: sizes[0]!.by,
    results: results.map((result) => ({ ...result, name: PUBLISHED_NAMES[result.policy] })),
    choice: choice ?? null,
    choices,
  }
}
