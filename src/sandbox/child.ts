/**
 * The sandbox process: the executor behind a socket.
 *
 * Started as `node --permission … sandbox.js PATH_OF_ISOLATED_VM` with the socket to its worker as descriptor 3 and the
 * mark as 4. It gives up its user id before it meets any unit. When its worker is gone, the socket ends, and so does it.
 */
import { Socket } from 'node:net'
import { Executor, type ExecutorSink } from './executor.ts'
import * as frame from './frames.ts'
import { CUT_REASONS, FRAME_HEAD, FrameReader, writeHead } from './frames.ts'
import { loadIsolatedVm } from './isolated-vm.ts'
import { MarkWriter } from './mark.ts'
import { exactThreadCpuUs, threadCpuUs, type UnitCode } from './isolate-host.ts'

const SOCKET_FD = 3
const MARK_FD = 4
/** The id of nobody, and its group. */
const NOBODY = 65_534

/** What is finished leaves before more is entered, once it is this old: a unit that loops shall not hold others' answers. */
const FLUSH_AFTER_MS = 1
/** What a module says of itself, in characters: more is left out. */
const FACTS_MAX = 256 * 1024
const FLUSH_BYTES = 256 * 1024

const ivm = loadIsolatedVm(process.argv[2] ?? '')
const clock = process.argv[3] === 'exact' ? exactThreadCpuUs : threadCpuUs
const isNobody = becomeNobody()
/** A body's piece of 64 KiB with its head comes in one read: what comes in two is copied twice more. */
const READ_BYTES = 256 * 1024
/** One buffer for all that comes in: a fresh one a read costs more than the read. */
const socket = new Socket({
  fd: SOCKET_FD,
  readable: true,
  writable: true,
  onread: {
    buffer: Buffer.allocUnsafe(READ_BYTES),
    callback(length, buffer) {
      reader.push((buffer as Buffer).subarray(0, length))
      run()
      return true
    },
  },
})
const mark = new MarkWriter(MARK_FD)

let executor: Executor | undefined
const todo: (() => void)[] = []

let out = Buffer.allocUnsafe(64 * 1024)
let outLength = 0
let outSince = 0

function becomeNobody(): boolean {
  if (process.getuid?.() !== 0) return false
  try {
    process.setgroups?.([])
    process.setgid?.(NOBODY)
    process.setuid?.(NOBODY)
    return true
  } catch {
    return false
  }
}

function flush(): void {
  if (outLength === 0) return
  const bytes = out.subarray(0, outLength)
  outLength = 0
  socket.write(bytes)
  // What the kernel did not take at once is still read from the buffer.
  if (socket.writableLength > 0) out = Buffer.allocUnsafe(64 * 1024)
}

function send(
  kind: number,
  detail: number,
  seq: number,
  slot: number,
  a: number,
  b: number,
  payload: string,
): void {
  const bytesMax = FRAME_HEAD + payload.length * 3
  if (outLength + bytesMax > out.length) {
    flush()
    if (bytesMax > out.length) {
      const big = Buffer.allocUnsafe(bytesMax)
      const length = big.write(payload, FRAME_HEAD)
      writeHead(big, 0, kind, detail, length, seq, slot, a, b)
      socket.write(big.subarray(0, FRAME_HEAD + length))
      return
    }
  }
  if (outLength === 0) outSince = performance.now()
  const length = payload === '' ? 0 : out.write(payload, outLength + FRAME_HEAD)
  writeHead(out, outLength, kind, detail, length, seq, slot, a, b)
  outLength += FRAME_HEAD + length
}

const sink: ExecutorSink = {
  entering(seq, slot, isInstall, cpuUs) {
    mark.enter(seq, slot, isInstall, cpuUs)
  },
  answered(seq, slot, cpuUs, ids, text) {
    if (seq > 0) send(frame.ANSWERED, 0, seq, slot, cpuUs, 0, text)
    else {
      const line = `${ids.join(' ')}\n`
      send(frame.ANSWERED, 0, seq, slot, cpuUs, line.length, line + text)
    }
  },
  cut(seq, slot, reason, cpuUs, progress, runningId, ids, message) {
    const text = `${[runningId, ...ids].join(' ')}\n${message.slice(0, 8192)}`
    send(frame.CUT, CUT_REASONS.indexOf(reason), seq, slot, cpuUs, progress + 1, text)
  },
  prepared(seq, problem, facts) {
    if (problem !== '') send(frame.PREPARED, 1, seq, 0, 0, 0, problem.slice(0, 8192))
    else send(frame.PREPARED, 0, seq, 0, 0, 0, facts.length > FACTS_MAX ? '' : facts)
  },
}

/** Runs all that came in, in order, and what routes bring of it. */
function run(): void {
  for (const job of todo) {
    job()
    flushOld()
  }
  todo.length = 0
  while (executor?.stepDerived()) flushOld()
  mark.idle()
  flush()
}

function flushOld(): void {
  if (outLength > FLUSH_BYTES || (outLength > 0 && performance.now() - outSince > FLUSH_AFTER_MS)) flush()
}

/** The parts of a batch, whose lengths stand in the first `table` bytes. */
function partsIn(bytes: Buffer, start: number, table: number): string[] {
  let at = start + table
  const lengths = bytes.toString('latin1', start, at - 1).split(' ')
  return lengths.map((length) => bytes.toString('latin1', at, (at += Number(length))))
}

const reader = new FrameReader((head, bytes, start, end) => {
  const { kind, seq, slot, patience, a, b } = head
  if (kind === frame.START) {
    executor = new Executor(ivm, bytes.toString('utf8', start, end), sink, clock)
    return
  }
  const run = executor
  if (!run) throw new Error('no guest yet')
  switch (kind) {
    case frame.STEP: {
      const routes = a === 0 ? '' : bytes.toString('latin1', start, start + a)
      const batch = b === 0 ? bytes.toString('latin1', start + a, end) : partsIn(bytes, start + a, b)
      todo.push(() => run.step({ seq, slot, patience, routes, batch }))
      break
    }
    case frame.LOAD: {
      const unit = JSON.parse(bytes.toString('utf8', start, end)) as UnitCode
      todo.push(() => run.load(slot, unit))
      break
    }
    case frame.UNLOAD:
      todo.push(() => run.unload(slot))
      break
    case frame.DROP:
      todo.push(() => run.drop(slot))
      break
    case frame.PREPARE:
      todo.push(() => run.prepare(seq, slot))
      break
    default:
      throw new Error(`frame of kind ${kind}`)
  }
})

// Whoever stops a service may signal all its processes at once: units are still at work on what is being drained.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})
socket.on('end', () => process.exit(0))
socket.on('error', () => process.exit(0))
mark.idle()
send(frame.READY, 0, 0, 0, isNobody ? 1 : 0, 0, '')
flush()
