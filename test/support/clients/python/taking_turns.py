"""Several open responses read on one thread, a piece of each in turn."""


def read_in_turns(options, start, pieces_of, finish, fail):
    """Starts `options.connections` requests at a time and calls `finish(index, response, body)` for each."""
    for first in range(0, options.count, options.connections):
        indexes = range(first, min(first + options.connections, options.count))
        running = []
        for index in indexes:
            try:
                response = start(index)
                running.append((index, response, pieces_of(response), []))
            except Exception as error:  # What a client raises is its result.
                fail(index, error)
        while running:
            still = []
            for entry in running:
                index, response, pieces, body = entry
                try:
                    piece = next(pieces, None)
                except Exception as error:
                    fail(index, error)
                    continue
                if piece is None:
                    finish(index, response, b"".join(body))
                else:
                    body.append(piece)
                    still.append(entry)
            running = still
