-- Entries of the history are written compressed from here on. The tables stay as they are: the step keeps out daemons that could not read such entries.
SELECT 1;
