/** `orla tail`: what units log and how they fail, as it happens. */
import { EdgeError } from '../../base/errors.ts'
import type { TailLine } from '../../contract/messages.ts'
import { type Command, CONTROL_OPTIONS, EXIT } from '../command.ts'
import { ControlClient } from '../control-client.ts'
import { readEvents } from '../../base/server-events.ts'
import { tailText } from '../tail-text.ts'

export const command: Command = {
  name: 'tail',
  operands: '[NAME]',
  operandsMin: 0,
  operandsMax: 1,
  text: 'Prints what units log and how they fail, with the file and line of their author, until Ctrl-C. Lines that come faster than they can be sent are dropped, and counted.',
  options: { ...CONTROL_OPTIONS, json: { text: 'print each line as a JSON object' } },
  examples: [
    ['orla tail', 'follows all units'],
    ['orla tail token-auth --json', 'follows one, for a script'],
  ],
  exits: { 1: 'the control plane does not answer, or went away' },
  run: async (args, terminal) => {
    const control = ControlClient.from(args, terminal)
    const stop = new AbortController()
    const onSignal = () => stop.abort()
    process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
    try {
      const stream = await control.stream('/v1/tail', { unit: args.operands[0] }, stop.signal)
      for await (const { event, data } of readEvents(stream)) {
        if (args.flag('json')) terminal.print(event === 'dropped' ? asDropped(data) : data)
        else if (event === 'line') terminal.print(tailText(JSON.parse(data) as TailLine))
        else if (event === 'dropped') terminal.note(`dropped ${droppedCount(data)} lines`)
      }
    } catch (error) {
      if (stop.signal.aborted) return EXIT.done
      if (error instanceof EdgeError) throw error
      throw gone(error)
    } finally {
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
    }
    if (stop.signal.aborted) return EXIT.done
    throw gone(undefined)
  },
}

const droppedCount = (data: string): number => (JSON.parse(data) as { readonly count: number }).count

const asDropped = (data: string): string => JSON.stringify({ dropped: droppedCount(data) })

const gone = (cause: unknown): EdgeError =>
  new EdgeError('control-unreachable', 'the control plane ended the tail; is the node still running?', {
    cause,
  })
