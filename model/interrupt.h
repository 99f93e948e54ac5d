#pragma once

namespace siamese {

/// From now on Ctrl-C, a request to end and a terminal that closes are only noted, so that the
/// program can end where it leaves nothing half done; the same a second time ends it at once. What
/// the program was started to ignore, as nohup ignores a terminal that closes, it goes on to
/// ignore.
void note_interrupts();

/// Whether one was noted.
bool interrupted();

}  // namespace siamese
