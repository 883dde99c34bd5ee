import type { FromWorker, ToWorker } from '../../contract/messages.ts'

/** A process that serves clients and is told what changed for all of them (purges, bans), here or in the program before an upgrade. */
export interface ToldWorker {
  readonly phase: 'starting' | 'ready' | 'draining' | 'gone'
  ask<Answer extends FromWorker>(
    message: ToWorker,
    isAnswer: (heard: FromWorker) => heard is Answer,
    timeoutMs: number,
  ): Promise<Answer>
}
