"""The logging of the findscu emulation: levels, hierarchical loggers, appenders, config files.

findscu logs through log4cplus; its log is its output, which scripts read. This room does what can
be seen of that from outside: who logs what is for the rooms above to say.
"""
