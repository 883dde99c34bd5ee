/** `orla reload`: the node reads its configuration file again. */
import type { ReloadResult } from '../../control/shapes.ts'
import { callTimeoutMs, changeWait, tellChange } from '../change.ts'
import { CHANGE_OPTIONS, type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION } from '../command.ts'
import { ControlClient } from '../control-client.ts'
import { siteChangeText } from '../../control/site-text.ts'

export const command: Command = {
  name: 'reload',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  text: [
    'The node reads its configuration file again, and the files of certificates. Sites, limits and certificates go live; requests in flight finish with the old ones.',
    'For the sites that the file names, the file wins over what was set live; those set live alone stay. What is wrong with the file or a certificate, or needs a restart, changes nothing.',
  ].join('\n'),
  options: { ...CHANGE_OPTIONS, ...CONTROL_OPTIONS, ...JSON_OPTION },
  examples: [['orla reload', 'after the file was edited']],
  exits: { 1: 'the file is refused: what is live stays', 2: 'not live everywhere in time' },
  run: async (args, terminal) => {
    const waiting = changeWait(args)
    const result = (await ControlClient.from(args, terminal).call('POST', '/v1/reload', {
      body: waiting,
      timeoutMs: callTimeoutMs(waiting),
    })) as ReloadResult
    const text = siteChangeText(result, result.settings)
    tellChange(args, terminal, result, `reloaded ${result.source}: ${text}`)
    for (const name of result.overridden) terminal.note(`${name} was changed live; the file's took its place`)
    return EXIT.done
  },
}
