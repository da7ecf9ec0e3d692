"""Ways to tell how strange a picture is, and where: one interface, a file each."""
