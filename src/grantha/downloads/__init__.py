"""Large files from elsewhere: resumed, verified, and only whole ones get their name.

Knows no model and no provider. Also finds packages, on whichever index this machine is set up for.
"""
