/** `orla packet`: the commands around the packet plane. */
import type { CommandGroup } from '../command.ts'

export const command: CommandGroup = {
  name: 'packet',
  text: 'Around the packet plane: XDP programs on network interfaces.',
  commands: {
    watch: {
      summary: 'count the packets of an interface by destination port',
      load: () => import('./packet/watch.ts'),
    },
    load: {
      summary: 'compile an XDP program of your own, run it, and print its maps at the end',
      load: () => import('./packet/load.ts'),
    },
  },
}
