/**
 * Who used too much CPU is run once more, alone, before its unit is blamed: a core that the machine's host took away counts as
 * CPU time. No test can take a core away, so the lane here is a script that tells the engine what a lane tells: answers,
 * and cuts with their CPU time. The engine, its invocations and the unit's slot are the real ones.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { go, startRunner, step, unit as version } from './testing/runner.ts'
import { Invocation } from './invocation.ts'
import { type Frame, Lane } from './lane.ts'
import { ONCE_ONLY } from './judgement.ts'
import { TripEngine } from './trip-engine.ts'
import { UnitSlot } from './unit-slot.ts'
import type { FailureReason } from '../contract/unit.ts'

/** Keeps what is sent, until the test says what became of it. */
class ScriptedLane extends Lane {
  readonly sent: Frame[] = []
  /** What the cores lost meanwhile, in milliseconds. */
  lost = 0

  override lostMs(): number {
    return this.lost
  }

  protected send(frames: readonly Frame[]): void {
    this.sent.push(...frames)
  }
  protected load(): void {}
  protected unload(): void {}
  protected drop(): void {}

  /** The frame that was sent next, when it has been. */
  async next(): Promise<Frame> {
    while (this.sent.length === 0) await new Promise((resolve) => void setImmediate(resolve))
    return this.sent.shift()!
  }

  /** The isolate was cut off by its trip wire while entry `at` of the frame ran. */
  cutOff(frame: Frame, cpuMs: number, at = 0): void {
    this.take(frame.seq)
    const { slot, entries, patience } = frame
    this.events.cut(slot, entries, {
      reason: 'timeout',
      cpuUs: cpuMs * 1000,
      progress: at,
      runningId: 0,
      message: 'it ran too long',
      patience,
    })
  }

  /** Every entry of the frame ended by itself, after so much CPU. */
  answer(frame: Frame, cpuMs: number): void {
    this.take(frame.seq)
    const { slot, entries } = frame
    const text = entries.map((entry) => `1 ${(entry as Invocation).id} 0 0 0 0 0 0 \n`).join('')
    this.events.answered(slot, entries, cpuMs * 1000, text, true)
  }
}

const CPU_MS = 10
const OVER = CPU_MS + 3
const CPU = 'cpu' satisfies FailureReason

function scene() {
  const unit = new UnitSlot(
    1,
    version('access() {}', { name: 'accused', limits: { cpuMs: CPU_MS } }),
    () => 0.5,
  )
  const blamed: FailureReason[] = []
  let replays = 0
  const engine: TripEngine = new TripEngine({
    laneFor: () => lane,
    ran() {},
    blamed: (_, reason) => void blamed.push(reason),
    logged() {},
    streamFailed() {},
    left() {},
    replayed: () => void replays++,
    active() {},
  })
  const lane = new ScriptedLane(engine, { name: '', groups: [] })
  const submit = (): Invocation => {
    const trip = {
      steps: [],
      meta: '{}',
      head: 'GET / HTTP/1.1\r\n',
      response: '',
      edits: '',
      body: '',
      done() {},
    }
    const invocation = new Invocation(engine.nextId(), trip, [unit], [2], 1, performance.now(), () => {})
    engine.submit(invocation)
    return invocation
  }
  return { unit, lane, blamed, submit, replays: () => replays }
}

test('who is over its CPU limit once is sent again, and nobody is blamed', async () => {
  const { lane, blamed, submit, replays } = scene()
  const invocation = submit()
  lane.cutOff(await lane.next(), OVER)
  assert.equal(invocation.outcome, 'running')
  const again = await lane.next()
  assert.deepEqual(again.entries, [invocation])
  lane.answer(again, 1)
  assert.equal(invocation.outcome, 'next')
  assert.deepEqual(blamed, [])
  assert.equal(replays(), 1)
})

test('who is over it twice is blamed, with the time of the second run', async () => {
  const { lane, blamed, submit } = scene()
  const invocation = submit()
  lane.cutOff(await lane.next(), OVER)
  lane.cutOff(await lane.next(), OVER + 4)
  assert.deepEqual(blamed, [CPU])
  assert.equal(invocation.outcome, 'failed')
  assert.equal(invocation.reason, CPU)
  assert.equal(invocation.message, 'it used 17 ms of CPU in a call; 10 ms are allowed')
})

test('a second run that ends by itself counts in full', async () => {
  const { lane, blamed, submit } = scene()
  const invocation = submit()
  lane.cutOff(await lane.next(), OVER)
  lane.answer(await lane.next(), OVER)
  assert.deepEqual(blamed, [CPU])
  assert.equal(invocation.reason, CPU)
})

test('the second run is alone, and those it was with are no suspects', async () => {
  const { lane, blamed, submit } = scene()
  const [first, accused, last] = [submit(), submit(), submit()]
  const frame = await lane.next()
  assert.deepEqual(frame.entries, [first, accused, last])
  lane.cutOff(frame, OVER + 20, 1)
  // In the order in which they came, each frame a crossing of its own.
  const frames = [await lane.next(), await lane.next(), await lane.next()]
  const entered = frames.map(({ entries }) => entries.map((entry) => (entry as Invocation).id))
  assert.deepEqual(
    entered,
    [[first.id], [accused.id], [last.id]],
    'the time of others would count as its own',
  )
  const [before, its, behind] = frames
  lane.answer(before!, 1)
  lane.cutOff(its!, OVER)
  lane.answer(behind!, 1)
  assert.deepEqual(
    [first, accused, last].map(({ outcome }) => outcome),
    ['next', 'failed', 'next'],
  )
  assert.deepEqual(blamed, [CPU])
})

test('a machine that was busy makes nobody a suspect, however often', async () => {
  const { lane, blamed, submit } = scene()
  const invocation = submit()
  for (let i = 0; i < 3; i++) lane.cutOff(await lane.next(), CPU_MS - 2)
  lane.cutOff(await lane.next(), OVER)
  lane.answer(await lane.next(), 1)
  assert.equal(invocation.outcome, 'next')
  assert.deepEqual(blamed, [])
})

test('where the cores lost time, a run that may have been a gap has more time, and nobody is a suspect', async () => {
  const { lane, blamed, submit } = scene()
  const invocation = submit()
  lane.lost = OVER
  for (const patience of [1, 2, 4, 8]) {
    const frame = await lane.next()
    assert.equal(frame.patience, patience)
    lane.cutOff(frame, OVER)
  }
  lane.answer(await lane.next(), 1)
  assert.equal(invocation.outcome, 'next')
  assert.deepEqual(blamed, [])
})

test('a loop where the cores lose time is blamed as soon as its CPU time is more than they can have lost', async () => {
  const { lane, blamed, submit } = scene()
  const invocation = submit()
  lane.lost = 15
  lane.cutOff(await lane.next(), OVER)
  lane.cutOff(await lane.next(), 2 * OVER)
  assert.deepEqual(blamed, [], 'it is run once more, alone')
  lane.cutOff(await lane.next(), 15 + CPU_MS)
  assert.deepEqual(blamed, [CPU])
  assert.equal(invocation.reason, CPU)
})

test('where it stays unclear, so much time is enough', async () => {
  const { lane, blamed, submit } = scene()
  submit()
  lane.lost = 10_000
  const patiences: number[] = []
  while (blamed.length === 0) {
    const frame = await lane.next()
    patiences.push(frame.patience)
    lane.cutOff(frame, OVER * frame.patience)
  }
  assert.deepEqual(patiences, [1, 2, 4, 8, 16, 2, 4, 8, 16])
})

test('what cannot be done twice has no second run', async () => {
  const { lane, blamed, submit } = scene()
  const invocation = submit()
  const frame = await lane.next()
  invocation.hasEffects = true
  lane.cutOff(frame, OVER)
  assert.deepEqual(blamed, [CPU])
  assert.equal(invocation.reason, CPU)
  assert.ok(!invocation.message.startsWith(ONCE_ONLY))
})

test('a real loop has a second run before it is blamed, and no third', async (t) => {
  const { runner, close } = await startRunner()
  t.after(close)
  const replays = () => runner.metrics().find(({ name }) => name === 'orla_unit_replays_total')?.value
  const outcome = await go(runner, [step(version('access() { for (;;); }'), 'access')])
  assert.equal(outcome.kind, 'failed')
  assert.equal(outcome.kind === 'failed' && outcome.reason, CPU)
  // More than one where the machine was busy: those runs were cut off before they had used up their CPU time.
  assert.ok(Number(replays()) >= 1)
})
