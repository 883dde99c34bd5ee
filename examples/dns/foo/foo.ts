/**
 * The plugin of the tutorial (docs/guides/dns-plugins.md): `foo bar` answers every question with A 1.1.1.1.
 *
 * Nothing is built: the Corefile beside it names this file.
 */
import { type DnsPlugin, record } from 'orla/dns'

export default {
  name: 'foo',
  setup(controller) {
    const [line] = controller.lines
    const [what, extra] = line!.args
    if (!what) return controller.fail(line!, 'its argument is missing: expected "foo bar"')
    if (what.text !== 'bar' || extra)
      return controller.fail(extra ?? what, 'expected "foo bar" and nothing else')
    const answered = controller.metrics.counter('example_foo_answers_total', 'Answers that foo gave.')
    controller.onStart(() => controller.log.info('answers everything with 1.1.1.1'))
    return {
      handle(query) {
        controller.log.debug(`${query.ip()} asks for ${query.name()} ${query.type()}`)
        answered.add(1)
        const answer = query.reply()
        answer.isAuthoritative = true
        answer.isRecursionAvailable = false
        answer.answer.push(record(query.qname, 'A', 3600, '1.1.1.1'))
        return answer
      },
    }
  },
} satisfies DnsPlugin
